"""What every figure says of where it comes from."""

import textwrap
from collections.abc import Sequence

from api.schemas.scores import loss_of
from store.db.models import Dataset, Run

LOSS_NAMES = {"cross_entropy": "cross-entropy", "binary_cross_entropy": "binary cross-entropy"}


SIDES = {"validation": "validation pictures", "all": "pictures"}
TITLE_LETTER = 10.2
"""Width of a letter of a title."""
TITLE_ROOM = 850
MOST_DATASET = 32
MOST_NOTE = 115
"""Letters that a line has room for."""


def run_title(what: str, run: Run, room: int = TITLE_ROOM) -> str:
    """What is shown, and the run's number and name; cut where ``room`` pixels are not enough."""
    return _cut(f"{what} · run {run.id}" + (f" · {run.name}" if run.name else ""), int(room / TITLE_LETTER))


def origin(run: Run, dataset: Dataset | None = None, *more: str) -> str:
    """Architecture, dataset (the run's own, or the one named) and further facts."""
    seen = dataset or run.dataset
    parts = [f"{run.config['arch']} on {_cut(seen.name, MOST_DATASET)}", *more]
    return " · ".join([*parts, "drawn pictures, not photos"] if seen.drawn else parts)


def loss_name(run: Run) -> str:
    """The run's loss, in words."""
    return LOSS_NAMES[loss_of(run.config)]


def note_lines(sentences: Sequence[str]) -> list[str]:
    """Sentences as lines that fit below a figure."""
    return [line for sentence in sentences for line in textwrap.wrap(sentence, MOST_NOTE)]


def rate_text(rate: float) -> str:
    """A learning rate with two digits: 0.0012 as 1.2e-3."""
    digits, _, power = f"{rate:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
