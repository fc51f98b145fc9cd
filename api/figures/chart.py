"""What a figure shows, in words that no drawing library owns. Sizes are in pixels; NaN in a line is a gap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Dash = Literal["solid", "dash", "dot"]
Symbol = Literal["circle", "square", "diamond", "triangle"]
FACTS = " · "
"""Stands between two facts."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """``low`` and ``high`` bound what is seen, in the axis' own unit; None leaves it to the data.

    ``ticks`` are the values that are written, None leaves them to the renderer.
    """

    title: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    ticks: Sequence[float] | None = None
    percent: bool = False
    """The values are shares in [0, 1], written as per cent."""
    whole: bool = False
    """The values are whole numbers, and no tick stands between two."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points joined in order. ``legend``: its name is in the legend; ``dots``: each point has one."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    width: float = 2.0
    opacity: float = 1.0
    dash: Dash = "solid"
    dots: bool = False
    legend: bool = True

    def dotted(self) -> list[int]:
        """The points that need a dot to be seen: all where asked for, else those that no neighbour is joined to."""
        there = [math.isfinite(y) for y in self.y]
        joined = [before or after for before, after in zip([False, *there], [*there[1:], False], strict=False)]
        return [i for i, seen in enumerate(there) if seen and (self.dots or not joined[i])]


@dataclass(frozen=True, kw_only=True)
class Marker:
    """Points of one kind, not joined; ``low`` and ``high`` are the ends of their intervals along y."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    symbol: Symbol = "circle"
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    legend: bool = True


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Counts over intervals of equal width; ``x`` are their middles. Each count is written on its bar."""

    name: str
    x: Sequence[float]
    heights: Sequence[int]
    width: float
    colour: str


@dataclass(frozen=True, kw_only=True)
class Heatmap:
    """Counts by row and column, first row on top; a zero stays blank.

    ``cell`` is a cell's side, ``least_cell`` the side below which labels cannot be read.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[int]]
    cell: float
    least_cell: float


@dataclass(frozen=True)
class Rule:
    """A vertical line through every panel; of its labels the first that there is room for stands above it."""

    x: float
    labels: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One y axis and what is drawn on it; ``share`` is its part of the height beside the other panels'."""

    y: Axis
    marks: Sequence[Line | Marker | Bars] = ()
    share: float = 1.0


@dataclass(frozen=True)
class Margins:
    """Room beside and below the panels; above them is as much as title and legend need."""

    left: int = 82
    right: int = 24
    bottom: int = 58


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure: panels, one above the other, over one x axis; or a heat map in place of the panels.

    ``facts`` tell which architecture and dataset, that the pictures are drawn where ``drawn``, and more. ``notes`` are
    sentences below the figure, ``told`` sentences for who does not see it. ``width`` is the whole picture's,
    ``plot_height`` that of all panels.
    """

    title: str
    facts: Sequence[str]
    drawn: bool
    x: Axis
    panels: Sequence[Panel] = ()
    heatmap: Heatmap | None = None
    rows_title: str = ""
    rules: Sequence[Rule] = ()
    notes: Sequence[str] = ()
    told: Sequence[str] = ()
    width: int = 960
    plot_height: int = 338
    margins: Margins = field(default_factory=Margins)

    @property
    def subtitle(self) -> str:
        """The facts in one line, however long."""
        return FACTS.join(self.facts)

    @property
    def alt(self) -> str:
        """The whole figure in words, for a reader that speaks: without dots between facts."""
        said = " ".join([f"{self.title}.", f"{self.subtitle}.", *self.told, *self.notes])
        return said.replace(FACTS, ", ")

    @property
    def legend(self) -> list[str]:
        """The names in the legend, in the order in which they are drawn."""
        marks = [mark for panel in self.panels for mark in panel.marks]
        return [mark.name for mark in marks if not isinstance(mark, Bars) and mark.legend]
