"""The number of a dataset's revision: what people call it by."""

from sqlalchemy import ScalarSelect, column, func, select, table
from sqlalchemy.orm import Mapped

_EARLIER = table("datasets", column("id"), column("name")).alias("earlier")


def revision_number(name: Mapped[str], row_id: Mapped[int]) -> ScalarSelect[int]:
    """The how-many-th of its name a row is, from 1. A name's rows are deleted all or none."""
    earlier = select(func.count()).select_from(_EARLIER).where(_EARLIER.c.name == name, _EARLIER.c.id <= row_id)
    return earlier.correlate_except(_EARLIER).scalar_subquery()
