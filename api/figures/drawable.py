"""What Matplotlib can write of a chart: it has the fonts of this machine, while a browser has its own."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from api.figures.chart import Chart
from ml.look.typefaces import dejavu, face_of, shown

Part = TypeVar("Part")


def drawable(chart: Chart) -> tuple[Chart, list[str]]:
    """The chart with each letter that no font has as ``U+4E2D``, and the font families that its texts need."""
    seen = replace(chart, heatmap=replace(chart.heatmap, hover=())) if chart.heatmap else chart
    written = _written(seen)
    others = {face.family for text in _texts(written) for letter in text if (face := face_of(letter)) is not None}
    return written, [dejavu().family, *sorted(others - {dejavu().family})]


def _written(part: Part) -> Part:
    """The part of a chart with every text in it as it can be drawn."""
    found: Any = part
    if isinstance(part, str):
        found = shown(part)
    elif is_dataclass(part) and not isinstance(part, type):
        found = replace(part, **{one.name: _written(getattr(part, one.name)) for one in fields(part)})
    elif _is_list(part):
        found = [_written(one) for one in cast("Iterable[Any]", part)]
    return cast("Part", found)


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif is_dataclass(part):
        for one in fields(part):
            yield from _texts(getattr(part, one.name))
    elif _is_list(part):
        for below in cast("Iterable[object]", part):
            yield from _texts(below)


def _is_list(part: object) -> bool:
    """Of anything but numbers, of which there may be thousands."""
    return isinstance(part, list | tuple) and bool(part) and not isinstance(part[0], int | float | None)
