"""What every figure says of where it comes from."""

from collections.abc import Sequence

from api.schemas.scores import loss_of
from store.db.models import Dataset, Run

LOSS_NAMES = {"cross_entropy": "cross-entropy", "binary_cross_entropy": "binary cross-entropy"}
SIDES = {"validation": "validation photos", "all": "photos"}
AVERAGED = "averaged over augmented copies"


def run_title(what: str, run: Run) -> str:
    """What is shown, and the run's number and name."""
    return f"{what} · run {run.id}" + (f" · {run.name}" if run.name else "")


def origin(run: Run, dataset: Dataset | None = None, *more: str) -> list[str]:
    """Architecture, dataset (the run's own, or the one named), that it is drawn where it is, and further facts."""
    seen = dataset or run.dataset
    return [f"{run.config['arch']} on {seen.name}", *(["drawn pictures, not photos"] if seen.drawn else []), *more]


def loss_name(run: Run) -> str:
    """The run's loss, in words."""
    return LOSS_NAMES[loss_of(run.config)]


def rate_text(rate: float) -> str:
    """A learning rate with two digits: 0.0012 as 1.2e-3."""
    digits, _, power = f"{rate:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
