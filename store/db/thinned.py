"""A run's training steps, as many as a line can show."""

import math
from collections.abc import Sequence

from sqlalchemy import Double, Integer, cast, func, select, union
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session, aliased

from store.db.models import Batch
from store.db.reading import batches_of

_OF_EACH_PART = 3
"""Its first step, the one with the lowest loss and the one with the highest."""


def thinned_batches(session: Session, run_id: int, *, steps: int, most: int) -> Sequence[Batch]:
    """The steps so far, in order: all, where the run has ``most`` of them at most, else about so many.

    Kept are the first step, the last of each phase, and of equal parts the first, the lowest and the highest: a loss
    that jumped for one step is still seen. What is no number counts as the highest.

    Args:
        session: the caller's transaction.
        run_id: the run.
        steps: how many it will have at its end, so that the parts stay the same while it grows.
        most: how many a line can show; the last of each phase come besides.
    """
    if steps <= most:
        return batches_of(session, run_id)
    size = math.ceil(steps / (most // _OF_EACH_PART))
    one = aliased(Batch)
    mine = one.run_id == run_id
    # The array is compared by its loss, and names one step where several have that.
    loss = array([one.raw_loss, cast(one.step, Double)])
    parts = (
        select(func.min(one.step).label("first"), func.min(loss).label("low"), func.max(loss).label("high"))
        .where(mine)
        .group_by(one.step // size)
        .cte()
    )
    kept = union(
        select(parts.c.first),
        *(select(cast(found[2], Integer)) for found in (parts.c.low, parts.c.high)),
        select(func.max(one.step)).where(mine).group_by(one.phase),
    )
    wanted = Batch.run_id == run_id, Batch.step.in_(kept)
    return session.scalars(select(Batch).where(*wanted).order_by(Batch.step)).all()
