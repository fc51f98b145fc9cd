"""Counts of what was asked and answered, by version and day, and those of each version's validation side."""

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.kept_tables import DriftCount, DriftReference

Figures = Mapping[str, list[int]]
"""Figure to counts."""
_ADDED = text(
    "(SELECT array_agg(coalesce(ours, 0) + coalesce(more, 0) ORDER BY place)"
    " FROM unnest(drift_counts.counts, excluded.counts) WITH ORDINALITY AS pairs (ours, more, place))"
)


def add_counts(session: Session, version: int, day: date, figures: Figures) -> None:
    """Add to what was counted that day, by this process and others."""
    if not figures:
        return
    # In one order, so that processes which write the same rows do not wait for each other in a circle.
    rows = [{"version": version, "day": day, "figure": name, "counts": figures[name]} for name in sorted(figures)]
    statement = insert(DriftCount).values(rows)
    statement = statement.on_conflict_do_update(index_elements=["version", "day", "figure"], set_={"counts": _ADDED})
    session.execute(statement)


def counts_since(session: Session, version: int, first: date) -> dict[str, list[int]]:
    """The counts of a version from a day on, by figure."""
    rows = session.execute(
        select(DriftCount.figure, DriftCount.counts).where(DriftCount.version == version, DriftCount.day >= first)
    )
    found: dict[str, list[int]] = {}
    for figure, counts in rows:
        found[figure] = _sum(found.get(figure, []), counts)
    return found


def versions_counted(session: Session, first: date) -> list[int]:
    """Versions that answered on that day or later."""
    statement = select(DriftCount.version).where(DriftCount.day >= first).distinct()
    return list(session.scalars(statement.order_by(DriftCount.version.desc())))


def reference_of(session: Session, version: int) -> DriftReference | None:
    """The counts of a version's validation side; None while nobody has made them."""
    return session.get(DriftReference, version)


def set_reference(session: Session, version: int, figures: Figures, missing: str | None) -> None:
    """Keep the counts of a version's validation side; the first ones stay."""
    values = {"version": version, "counts": dict(figures), "missing": missing}
    session.execute(insert(DriftReference).values(values).on_conflict_do_nothing(index_elements=["version"]))


def forget_old_counts(session: Session, *, older_than: timedelta) -> None:
    """Delete the counts of days that long ago."""
    session.execute(delete(DriftCount).where(DriftCount.day < func.current_date() - older_than))


def today(session: Session) -> date:
    """By the database's clock, in UTC."""
    return session.scalars(select(func.current_date())).one()


def _sum(ours: list[int], more: list[int]) -> list[int]:
    length = max(len(ours), len(more))
    return [sum(part[place] for part in (ours, more) if place < len(part)) for place in range(length)]
