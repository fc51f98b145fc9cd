"""Where a run's weights come from and what went on from them."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from store.db.models import Artifact, DeletedRun, Epoch, Job, Run
from store.keys import MODEL
from store.states import State

Ancestor = Run | DeletedRun
"""What led to a run may have been deleted since; what its children are judged by stays."""


def ancestors_of(session: Session, run: Ancestor) -> list[Ancestor]:
    """The runs whose weights led to this one's, oldest first; those too that were deleted."""
    known = union_all(select(Run.id, Run.parent_id), select(DeletedRun.id, DeletedRun.parent_id)).subquery()
    above = select(known).where(known.c.id == run.parent_id).cte("above", recursive=True)
    above = above.union_all(select(known).join(above, known.c.id == above.c.parent_id))
    there = session.scalars(select(Run).join(above, Run.id == above.c.id))
    gone = session.scalars(select(DeletedRun).join(above, DeletedRun.id == above.c.id))
    # A parent is there before its child, so that ids are in the order of descent.
    return sorted([*there, *gone], key=lambda one: one.id)


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
    deleted = select(DeletedRun.id, DeletedRun.finished_phases)
    deleted = deleted.where(DeletedRun.id.in_(run_ids), DeletedRun.finished_phases.is_not(None))
    return dict(session.execute(statement.union_all(deleted)).all())
