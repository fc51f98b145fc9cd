"""The confusion figure: how often each breed was taken for which."""

from collections import Counter
from collections.abc import Sequence

from api.figures.chart import Axis, Chart, Heatmap, Margins
from api.figures.chart_geometry import LABEL_SIZE
from api.figures.heading import AVERAGED, SIDES, listed, origin, run_title
from api.figures.lettering import text_width
from api.runs.interpretations import StoredInterpretation
from store.db.models import Run

CELL = 23
DIGIT = 8
"""Pixels: a cell's side, and what each digit of the largest count needs of it."""
LEAST_CELL = 13
"""Names in rows that are narrower would touch."""
LEAST_CELLS = 330
LEAST_WIDTH = 560
MOST_CELLS = 1500
NAME_GAP = 42
MOST_TOLD = 3


def confusion_chart(run: Run, stored: StoredInterpretation) -> Chart:
    """Counts, rows actual and columns predicted; cells large enough to read at 37 breeds."""
    found = stored.interpretation
    names = _readable(found.vocab)
    n = sum(map(sum, found.matrix))
    wrong = n - sum(row[i] for i, row in enumerate(found.matrix))
    digits = len(str(max((count for row in found.matrix for count in row), default=0)))
    count = max(1, len(names))
    cells = min(MOST_CELLS, max(LEAST_CELLS, max(CELL, DIGIT * digits) * count))
    label = int(max((text_width(name, LABEL_SIZE) for name in names), default=0)) + NAME_GAP
    margins = Margins(left=label, right=24, bottom=label + 14)
    share = f"{100 * wrong / n:.1f} %" if n else "no pictures"
    averaged = [AVERAGED] if found.tta else []
    return Chart(
        title=run_title("Confusion", run),
        facts=origin(run, stored.dataset, f"{wrong} of {n} {SIDES[stored.side]} wrong, {share}", *averaged),
        drawn=stored.dataset.drawn,
        x=Axis(title="predicted"),
        heatmap=Heatmap(
            rows=names,
            columns=names,
            counts=found.matrix,
            cell=cells / count,
            least_cell=min(LEAST_CELL, cells / count),
        ),
        rows_title="actual",
        notes=["The shade goes with the square root of the count, so that single mistakes are seen."],
        told=_most_confused(names, found.matrix),
        width=max(LEAST_WIDTH, cells + margins.left + margins.right),
        margins=margins,
    )


def _readable(vocab: Sequence[str]) -> list[str]:
    """The breeds' names with blanks, but where two would then be one."""
    names = [name.replace("_", " ") for name in vocab]
    often = Counter(names)
    return [plain if often[plain] == 1 else name for plain, name in zip(names, vocab, strict=True)]


def _most_confused(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[str]:
    pairs = [(count, i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) if count and i != j]
    most = sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))[:MOST_TOLD]
    told = [f"{names[i]} taken for {names[j]} ({count})" for count, i, j in most]
    return [f"Most often {listed(told)}."] if told else []
