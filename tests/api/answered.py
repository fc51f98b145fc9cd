"""Runs with answers for their validation photos, right where a test wants them to be."""

from collections.abc import Sequence
from typing import Any

from store.db.models import Dataset, Run
from store.db.records import record_epoch, record_interpretation
from store.states import State
from tests.api.records import MATRIX, VOCAB, Records


def answered(
    records: Records,
    dataset: Dataset,
    right: Sequence[bool],
    *,
    items: Sequence[int] | None = None,
    tta: bool = False,
    rates: Sequence[float] = (),
    **config: Any,  # noqa: ANN401 - config fields
) -> Run:
    """A finished training of which it is said of each photo whether it was right; its last photo comes first."""
    run, job = records.run(dataset, **config)
    records.move(job, State.RUNNING)
    numbers = range(len(right)) if items is None else items
    rows = [_row(item, is_right=one) for item, one in zip(numbers, right, strict=True)]
    error = 1 - sum(right) / len(right)
    with records.sessions.begin() as session:
        for number, rate in enumerate(rates or [error]):
            figures: dict[str, Any] = {"train_loss": 2 * rate, "valid_loss": rate, "error_rate": rate, "seconds": 2.0}
            record_epoch(session, run.id, phase=0, epoch=number, images_per_second=9.0, **figures)
        record_interpretation(
            session,
            run.id,
            dataset_id=dataset.id,
            job_id=job.id,
            vocab=list(VOCAB),
            matrix=MATRIX,
            items=rows[::-1],
            valid_loss=0.9,
            error_rate=error,
            tta=tta,
        )
    records.move(job, State.SUCCEEDED)
    return run


def _row(item: int, *, is_right: bool) -> dict[str, Any]:
    figures = {"loss": 0.5, "probability_predicted": 0.8, "probability_actual": 0.1}
    return {
        "item": item,
        "path": f"photos/pug_{item}.jpg",
        "actual": "pug",
        "predicted": "pug" if is_right else "Birman",
        **figures,
    }
