"""The confusion figure: how often each breed was taken for which."""

from api.figures.chart import Axis, Chart, Heatmap, Margins
from api.figures.heading import SIDES, origin, run_title
from api.interpretations import Stored
from store.db.models import Run

CELL = 23
LEAST_CELLS = 330
LEAST_WIDTH = 760
MOST_CELLS = 1500
LETTER = 5.9
"""Width of a letter of a label."""
NAME_GAP = 42


def confusion_chart(run: Run, stored: Stored) -> Chart:
    """Counts, rows actual and columns predicted; cells large enough to read at 37 breeds."""
    found = stored.interpretation
    side = SIDES[stored.side]
    names = [name.replace("_", " ") for name in found.vocab]
    n = sum(map(sum, found.matrix))
    wrong = n - sum(row[i] for i, row in enumerate(found.matrix))
    cells = min(MOST_CELLS, max(LEAST_CELLS, CELL * len(names)))
    label = int(LETTER * max(map(len, names), default=0)) + NAME_GAP
    margins = Margins(left=label, right=24, top=72, bottom=label + 14)
    width = max(LEAST_WIDTH, cells + margins.left + margins.right)
    share = f"{100 * wrong / n:.1f} %" if n else "no pictures"
    averaged = ["averaged over augmented copies"] if found.tta else []
    return Chart(
        title=run_title("Confusion", run, width - margins.left),
        subtitle=origin(run, stored.dataset, f"{wrong} of {n} {side} wrong, {share}", *averaged),
        drawn=stored.dataset.drawn,
        x=Axis(title="predicted"),
        heatmap=Heatmap(rows=names, columns=names, counts=found.matrix, cell=cells / max(1, len(names))),
        rows_title="actual",
        notes=["The shade goes with the square root of the count, so that single mistakes are seen."],
        width=width,
        height=cells + margins.top + margins.bottom,
        margins=margins,
    )
