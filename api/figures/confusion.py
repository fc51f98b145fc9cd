"""The confusion figure: how often each breed was taken for which."""

from collections import Counter
from collections.abc import Sequence

from api.figures.chart import Axis, Chart, Heatmap
from api.figures.heading import AVERAGED, SIDES, listed, origin, run_title
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
MOST_TOLD = 3
SHADED = "shade by the square root of the count"
"""A single mistake is seen beside counts of hundreds."""


def confusion_chart(run: Run, stored: StoredInterpretation) -> Chart:
    """Counts, rows actual and columns predicted; cells large enough to read at 37 breeds."""
    found = stored.interpretation
    names = _readable(found.vocab)
    n = sum(map(sum, found.matrix))
    wrong = n - sum(row[i] for i, row in enumerate(found.matrix))
    digits = len(str(max((count for row in found.matrix for count in row), default=0)))
    count = max(1, len(names))
    cells = min(MOST_CELLS, max(LEAST_CELLS, max(CELL, DIGIT * digits) * count))
    share = f"{100 * wrong / n:.1f} %" if n else "no photos"
    averaged = [AVERAGED] if found.tta else []
    return Chart(
        title=run_title("Confusion", run),
        facts=origin(run, stored.dataset, f"{wrong} of {n} {SIDES[stored.side]} wrong, {share}", *averaged, SHADED),
        drawn=stored.dataset.drawn,
        x=Axis(title="predicted"),
        heatmap=Heatmap(
            rows=names,
            columns=names,
            counts=found.matrix,
            hover=[_row_told(i, names, counts) for i, counts in enumerate(found.matrix)],
            cell=cells / count,
            least_cell=min(LEAST_CELL, cells / count),
        ),
        rows_title="actual",
        told=_most_confused(names, found.matrix),
        width=LEAST_WIDTH,
    )


def _readable(vocab: Sequence[str]) -> list[str]:
    """The breeds' names with blanks, but where two would then be one."""
    names = [name.replace("_", " ") for name in vocab]
    often = Counter(names)
    return [plain if often[plain] == 1 else name for plain, name in zip(names, vocab, strict=True)]


def _row_told(actual: int, names: Sequence[str], counts: Sequence[int]) -> list[str]:
    """What is read of each cell: on the diagonal a breed was recognised, beside it taken for another."""
    what = ["recognised" if actual == i else f"taken for {name}" for i, name in enumerate(names)]
    n = sum(counts)
    return [f"{names[actual]} {said}: {_share(count, n)}" for said, count in zip(what, counts, strict=True)]


def _share(count: int, of: int) -> str:
    return f"{count} of {of}, {100 * count / of:.1f} %" if of else f"{count} of {of}"


def _most_confused(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[str]:
    pairs = [(count, i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) if count and i != j]
    most = sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))[:MOST_TOLD]
    told = [f"{names[i]} taken for {names[j]} ({count})" for count, i, j in most]
    return [f"Most often {listed(told)}."] if told else []
