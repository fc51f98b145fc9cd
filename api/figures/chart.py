"""What a figure shows, in words that no drawing library owns. Sizes are in pixels; NaN in a line is a gap."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Dash = Literal["solid", "dash", "dot"]
Symbol = Literal["circle", "square", "diamond", "triangle"]


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


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points joined in order. ``legend`` says whether its name is in the legend."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    width: float = 2.0
    opacity: float = 1.0
    dash: Dash = "solid"
    dots: bool = False
    legend: bool = True


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
    """Counts by row and column, first row on top; a zero stays blank. ``cell`` is a cell's side."""

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[int]]
    cell: float


@dataclass(frozen=True)
class Rule:
    """A vertical line through every panel with a label above the first."""

    x: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One y axis and what is drawn on it; ``share`` is its part of the height beside the other panels'."""

    y: Axis
    marks: Sequence[Line | Marker | Bars] = ()
    share: float = 1.0


@dataclass(frozen=True)
class Margins:
    """Room round the panels."""

    left: int = 82
    right: int = 24
    top: int = 104
    bottom: int = 58


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure: panels, one above the other, over one x axis; or a heat map in place of the panels.

    ``subtitle`` tells which run, architecture and dataset, and that the pictures are drawn where ``drawn``. ``notes``
    are sentences below the figure.
    """

    title: str
    subtitle: str
    drawn: bool
    x: Axis
    panels: Sequence[Panel] = ()
    heatmap: Heatmap | None = None
    rows_title: str = ""
    rules: Sequence[Rule] = ()
    notes: Sequence[str] = ()
    width: int = 960
    height: int = 500
    margins: Margins = field(default_factory=Margins)
