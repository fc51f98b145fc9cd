"""Runs with steps, epochs and searches, for tests of what draws them."""

from collections.abc import Sequence
from typing import Any

from ml.reading.agreement import RateSearch
from ml.reading.suggestions import suggest
from ml.reading.sweep_record import Sweep
from store.db.models import Run
from store.db.records import StepRecord, record_batches, record_epoch, record_plan, record_rate
from tests.api.records import Records

STEPS_AN_EPOCH = 10
SWEEP_STEPS = 100


def trained(records: Records, run: Run, *, steps: int, losses: Sequence[float] = ()) -> None:
    """A plan of 3 epochs of 10 steps in two phases (1 + 2), and ``steps`` of them with the epochs that they make."""
    with records.sessions.begin() as session:
        record_plan(
            session,
            run.id,
            device="cpu",
            precision="fp32",
            precision_reason="a test",
            weights=None,
            versions={},
            plan={"steps": 3 * STEPS_AN_EPOCH, "valid_items": 1478, "train_items": 5912},
        )
        record_batches(session, run.id, [step_record(n, losses) for n in range(steps)])
        for number in range(steps // STEPS_AN_EPOCH):
            figures: dict[str, Any] = {
                "train_loss": 1.0,
                "valid_loss": 0.5 - 0.1 * number,
                "error_rate": 0.2 - 0.05 * number,
            }
            place = {"phase": min(number, 1), "epoch": max(0, number - 1)}
            record_epoch(session, run.id, **{**place, **figures, "seconds": 2.0, "images_per_second": 10.0})


def searched(records: Records, run: Run, *, phase: int = 0, sweeps: int = 3, broken: int = 0) -> RateSearch:
    """A search on record: the loss falls from 4 to 1 around a rate of 1e-3; the last ``broken`` sweeps fail at once."""
    found = RateSearch(
        tuple(_sweep(number, broken=number >= sweeps - broken) for number in range(sweeps)), freeze=True, batch_size=64
    )
    with records.sessions.begin() as session:
        record_rate(session, run.id, phase=phase, rate=found.rate, agreement=found.agreement, content=found.content())
    return found


def searching(records: Records, **config: Any) -> Run:  # noqa: ANN401 - config fields
    """A training that leaves its rate to a search."""
    return records.run(records.dataset(), base_lr="auto", **config)[0]


def step_record(step: int, losses: Sequence[float]) -> StepRecord:
    loss = losses[step] if losses else 2.0 - step / 30
    return StepRecord(
        step=step,
        phase=0 if step < STEPS_AN_EPOCH else 1,
        raw_loss=1.1 * loss,
        train_loss=loss,
        lr=[1e-3, 1e-3, 1e-3] if step < STEPS_AN_EPOCH else [1e-6, 1e-5, 1e-4],
        momentum=0.9,
    )


def _sweep(number: int, *, broken: bool) -> Sweep:
    count = 5 if broken else SWEEP_STEPS
    rates = tuple(1e-7 * 10 ** (8 * i / SWEEP_STEPS) for i in range(count))
    shift = 1.0 + 0.1 * number
    losses = tuple(1 + 3 / (1 + (rate * shift / 1e-3) ** 2) for rate in rates)
    if broken:
        losses = (*losses[:-1], float("nan"))
    return Sweep(
        lrs=rates, losses=losses, smoothed=losses, steps=SWEEP_STEPS, found=suggest(rates, losses, losses, SWEEP_STEPS)
    )
