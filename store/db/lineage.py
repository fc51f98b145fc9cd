"""Where a run's weights come from and what went on from them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.db.models import Run


def ancestors_of(session: Session, run: Run) -> list[Run]:
    """The runs whose weights led to this one's, oldest first."""
    above = select(Run.id, Run.parent_id).where(Run.id == run.parent_id).cte("above", recursive=True)
    above = above.union_all(select(Run.id, Run.parent_id).join(above, Run.id == above.c.parent_id))
    # A parent is there before its child, so that ids are in the order of descent.
    return list(session.scalars(select(Run).join(above, Run.id == above.c.id).order_by(Run.id)))


def children_of(session: Session, run_id: int) -> Sequence[int]:
    """Ids of the runs that started from this one's weights."""
    return session.scalars(select(Run.id).where(Run.parent_id == run_id).order_by(Run.id)).all()
