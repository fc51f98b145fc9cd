"""Where a run's weights come from and what went on from them."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.db.models import Artifact, Epoch, Job, Run
from store.keys import MODEL
from store.states import State


def ancestors_of(session: Session, run: Run) -> list[Run]:
    """The runs whose weights led to this one's, oldest first."""
    above = select(Run.id, Run.parent_id).where(Run.id == run.parent_id).cte("above", recursive=True)
    above = above.union_all(select(Run.id, Run.parent_id).join(above, Run.id == above.c.parent_id))
    # A parent is there before its child, so that ids are in the order of descent.
    return list(session.scalars(select(Run).join(above, Run.id == above.c.id).order_by(Run.id)))


def children_of(session: Session, run_id: int) -> Sequence[int]:
    """Ids of the runs that started from this one's weights."""
    return session.scalars(select(Run.id).where(Run.parent_id == run_id).order_by(Run.id)).all()


def cut_short(session: Session, run_ids: Collection[int]) -> dict[int, int]:
    """Of these, the runs that failed and kept a model: the phases that each had finished."""
    statement = (
        select(Epoch.run_id, func.max(Epoch.phase) + 1)
        .join(Job, (Job.run_id == Epoch.run_id) & (Job.kind == "train") & (Job.state == State.FAILED))
        .join(Artifact, (Artifact.run_id == Epoch.run_id) & (Artifact.name == MODEL))
        .where(Epoch.run_id.in_(run_ids))
        .group_by(Epoch.run_id)
    )
    return dict(session.execute(statement).all())
