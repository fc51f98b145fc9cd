"""The figures there are, each by its name in the address."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.figures.chart import Chart
from api.figures.confusion import confusion_chart
from api.figures.loss import loss_chart
from api.figures.lr_find import lr_find_chart
from api.figures.reliability import reliability_chart
from api.figures.schedule import schedule_chart
from api.figures.steps import MOST_POINTS
from api.runs.interpretations import StoredInterpretation
from store.db.models import Batch, Run
from store.db.rates import rate_find_of
from store.db.read_items import confidences_of
from store.db.reading import epochs_of, get_run, not_ready
from store.db.thinned import thinned_batches
from store.errors import NotFound, WrongKind


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which of several: the search before a phase (lr-find), the dataset interpreted on (confusion, reliability)."""

    phase: int | None = None
    dataset: str | None = None


def chart_of(session: Session, run_id: int, name: str, asked: Asked) -> Chart:
    """The named figure of a run.

    Raises:
        NotFound: there is no such figure, run, phase or dataset.
        WrongKind: the run never has this figure.
        NotReady: it has it later; the detail names the job to wait for.
    """
    if name not in FIGURES:
        raise NotFound(f"there is no figure {name!r}", hint=f"The figures are {', '.join(FIGURES)}.")
    return FIGURES[name](session, get_run(session, run_id), asked)


def _loss(session: Session, run: Run, _: Asked) -> Chart:
    return loss_chart(run, _steps(session, run, "loss"), epochs_of(session, run.id))


def _schedule(session: Session, run: Run, _: Asked) -> Chart:
    return schedule_chart(run, _steps(session, run, "schedule"))


def _lr_find(session: Session, run: Run, asked: Asked) -> Chart:
    return lr_find_chart(run, rate_find_of(session, run.id, asked.phase))


def _confusion(session: Session, run: Run, asked: Asked) -> Chart:
    return confusion_chart(run, StoredInterpretation.of(session, run.id, asked.dataset, with_items=False))


def _reliability(session: Session, run: Run, asked: Asked) -> Chart:
    stored = StoredInterpretation.of(session, run.id, asked.dataset, with_items=False)
    return reliability_chart(run, stored, confidences_of(session, run.id, stored.dataset.id))


FIGURES: dict[str, Callable[[Session, Run, Asked], Chart]] = {
    "loss": _loss,
    "schedule": _schedule,
    "lr-find": _lr_find,
    "confusion": _confusion,
    "reliability": _reliability,
}


def _steps(session: Session, run: Run, what: str) -> list[Batch]:
    """The training steps so far, as many as a line can show.

    Raises:
        WrongKind: the run trains nothing.
        NotReady: there are none yet.
    """
    if run.kind != "train":
        raise WrongKind(f"run {run.id} is of kind {run.kind} and never has a {what}", hint="Ask a run of kind train.")
    planned = (run.plan or {"steps": 0})["steps"]
    steps = list(thinned_batches(session, run.id, steps=planned, most=MOST_POINTS))
    if not steps:
        raise not_ready(session, run.id, f"{what} figure")
    return steps
