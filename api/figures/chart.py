"""What a figure shows, in words that no drawing library owns. Sizes are in pixels; NaN in a line is a gap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from api.figures.palette import DARK_FROM

Dash = Literal["solid", "dash", "dot"]
Symbol = Literal["circle", "square", "diamond", "triangle"]
Values = Literal["number", "whole", "share", "rate"]
"""Numbers; whole ones, with no tick between two; shares in [0, 1], written as per cent; learning rates, as 1e-3."""
FACTS = " · "
"""Stands between two facts."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """``low`` and ``high`` bound what is seen, in the axis' own unit; None leaves it to the data."""

    title: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    values: Values = "number"

    def share(self, value: float) -> float:
        """How far from ``low`` to ``high`` a value lies, 0 to 1; of an axis that has both."""
        if self.low is None or self.high is None:
            return 0.0
        low, high, at = (math.log(one) if self.log else one for one in (self.low, self.high, value))
        return (at - low) / (high - low)


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

    ``hover`` is what is read of each cell. ``cell`` is a cell's side, ``least_cell`` the one below which names touch.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[int]]
    hover: Sequence[Sequence[str]]
    cell: float
    least_cell: float

    @cached_property
    def most(self) -> int:
        """The largest count, which each cell is measured by: of many breeds there are thousands of them."""
        return max((count for row in self.counts for count in row), default=0)

    @property
    def deepest_pale(self) -> float:
        """Counts up to this one have dark text, those above it white: shades go by the square root."""
        return DARK_FROM**2 * self.most


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


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure: panels, one above the other, over one x axis; or a heat map in place of the panels.

    ``facts`` tell which architecture and dataset, that the pictures are drawn where ``drawn``, and more. ``notes`` are
    sentences below the panels, ``told`` sentences for people who do not see the figure. ``width`` is the whole
    picture's, ``plot_height`` that of all panels; a heat map's size comes from its cells.
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

    def side(self, rule: Rule) -> Literal["left", "right"]:
        """Which end of a rule's label stands at the rule: the label goes towards the longer part of the axis."""
        beyond = 1 - self.x.share(rule.x)
        return "right" if len(self.rules) == 1 and beyond < self.x.share(rule.x) else "left"

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
