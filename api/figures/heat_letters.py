"""What can be written into and beside the cells of a heat map, by the size that they have in the picture."""

import math

from api.figures.chart import Heatmap
from api.figures.chart_geometry import LABEL_SIZE
from api.figures.lettering import PLAIN

LEAST_SIZE = 9
SHARE = 0.7
"""Of a cell's side, the size of its letters."""


def count_size(heatmap: Heatmap, side: float) -> int | None:
    """The size of the counts where all cells together are ``side`` wide; None where the longest has no room."""
    cell = side / max(1, len(heatmap.columns))
    size = max(LEAST_SIZE, min(LABEL_SIZE, int(SHARE * cell)))
    digits = len(str(max((count for row in heatmap.counts for count in row), default=0)))
    return size if digits * PLAIN * size + 1 <= cell else None


def label_step(heatmap: Heatmap, side: float) -> int:
    """Each how-manieth row has room for its name."""
    return max(1, math.ceil(LABEL_SIZE * len(heatmap.columns) / side))
