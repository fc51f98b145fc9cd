"""What people decided about labels: written with the job that applies it, read by that job and by later reviews."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ARRAY, Text, any_, insert, literal, select
from sqlalchemy.orm import Session

from store.db.label_review_table import LabelReview
from store.db.models import Job
from store.states import FINAL, State

Action = Literal["relabel", "drop", "keep", "add"]
SOURCE = "review"
"""The kind of an import's source that says that it applies a review."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to become of one picture; see the columns."""

    action: Action
    sha256: str
    path: str
    label_before: str | None
    label: str | None


@dataclass(frozen=True)
class PastDecisions:
    """What need not be asked again.

    Attributes:
        right: (sha256, label) of the pictures whose label somebody said is right.
        dropped: sha256 of the pictures that somebody did not want.
    """

    right: frozenset[tuple[str, str]]
    dropped: frozenset[str]

    def holds(self, sha256: str, label: str) -> bool:
        """Whether somebody has said that the picture is of this label."""
        return (sha256, label) in self.right


def add_reviews(
    session: Session, decisions: Sequence[Decision], *, dataset: str, job_id: int, reviewer: str | None
) -> None:
    """Write them with the job that applies them."""
    rows = [
        {
            "dataset": dataset,
            "job_id": job_id,
            "reviewer": reviewer,
            "action": one.action,
            "sha256": one.sha256,
            "path": one.path,
            "label_before": one.label_before,
            "label": one.label,
        }
        for one in decisions
    ]
    if rows:
        session.execute(insert(LabelReview), rows)


def reviews_of_job(session: Session, job_id: int) -> Sequence[LabelReview]:
    """What a job applies, in the order in which it was sent."""
    return session.scalars(select(LabelReview).where(LabelReview.job_id == job_id).order_by(LabelReview.id)).all()


def reviewed(session: Session, dataset: str, among: Iterable[str]) -> PastDecisions:
    """What was decided about these pictures (sha256) of a dataset, the last word on each.

    A changed label counts once an item has it: where the job that changes it fails, the item comes again.
    """
    rows = session.execute(
        select(LabelReview.path, LabelReview.sha256, LabelReview.action, LabelReview.label)
        # One value, however many they are.
        .where(LabelReview.dataset == dataset, LabelReview.sha256 == any_(literal(list(among), ARRAY(Text))))
        .order_by(LabelReview.id)
    )
    last = {(path, sha256): (action, label) for path, sha256, action, label in rows}
    right = frozenset((sha256, label) for (_, sha256), (_, label) in last.items() if label is not None)
    dropped = frozenset(sha256 for (_, sha256), (action, _) in last.items() if action == "drop")
    return PastDecisions(right, dropped)


def review_in_hand(session: Session, dataset: str) -> Job | None:
    """The job that makes a revision of an earlier review of this dataset and has not ended, or None."""
    statement = select(Job).where(
        Job.kind == "import",
        Job.state.in_([state for state in State if state not in FINAL]),
        Job.payload["name"].astext == dataset,
        Job.payload["source"]["kind"].astext == SOURCE,
    )
    return session.scalars(statement.order_by(Job.id).limit(1)).first()
