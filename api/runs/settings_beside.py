"""The settings of several runs beside each other."""

from collections.abc import Iterator, Sequence
from typing import Any

from api.schemas.comparison import FieldOut
from store.db.models import Run


def settings_of(runs: Sequence[Run]) -> list[FieldOut]:
    """Every setting of any of the runs, by its dotted name, phases one by one; the data comes first."""
    columns = [dict(_settings(run)) for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, [column.get(name) for column in columns]) for name in names]
    return [FieldOut(field=name, values=values, differs=_differ(values)) for name, values in rows]


def _settings(run: Run) -> Iterator[tuple[str, Any]]:
    yield "dataset.name", run.dataset.name
    yield "dataset.revision", run.dataset.revision
    yield "from_run", run.parent_id
    yield from _flat(run.config)


def _flat(value: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        parts = part if isinstance(part, list) else []
        if isinstance(part, dict):
            yield from _flat(part, f"{above}{name}.")
        elif parts and all(isinstance(one, dict) for one in parts):
            yield from _flat({str(number): one for number, one in enumerate(parts)}, f"{above}{name}.")
        else:
            yield f"{above}{name}", part


def _differ(values: Sequence[Any]) -> bool:
    """By value: a record may say 10 where another says 10.0, and true is no number."""
    return any(one != values[0] or isinstance(one, bool) != isinstance(values[0], bool) for one in values)
