"""How long a job would take here: from past runs' epochs, else from a worker's measurement; or why nobody knows."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.orm import Session

from api.dependencies import Services
from api.schemas.forecast import ForecastOut
from ml.config import LrFind, ResolvedConfig, TrainSettings
from ml.reading.forecast import Forecast, Measured, Seconds, Speed, forecast, kinds_needed, speed_of_epoch
from store.db.calibrations import fail_request, get_request, job_in_the_way, open_request
from store.db.lanes import count_workers
from store.db.models import Calibration
from store.db.paces import Machine, ModelKey, PastEpoch, newest_calibration, newest_machine, past_epochs
from store.lanes import Lane
from store.queue import publish_calibration

POLL_SECONDS = 0.25
STARTING_SECONDS = 10.0
"""Where no worker lives, one may be about to: a service that was just started is given so long."""
ON_TOP = (
    "The job's start (its process, torch, the weights; some seconds) and building the presized cache, where there is "
    "none yet, come on top."
)

Config = ResolvedConfig | LrFind


class NoForecast(Exception):
    """There is none; the message says why and what to do."""


@dataclass(frozen=True)
class Known:
    """What is known of one kind of phase, and where from. ``basis`` is for people."""

    measured: Measured
    source: Literal["stored", "calibrated"]
    basis: str


def forecast_job(
    services: Services, config: Config, items: int, given: Mapping[str, int] | None = None
) -> tuple[ForecastOut | None, str | None]:
    """The forecast of a training or a search on ``items`` pictures; or None, and why, with what to do.

    ``given`` counts the items of each side of the dataset's own split, where it has one.

    Where past runs tell nothing it waits for a worker, up to PEDIGREE_CALIBRATION_SECONDS, without holding a
    transaction.
    """
    try:
        machine, known = _from_record(services, config) or _from_worker(services, config)
    except NoForecast as reason:
        return None, str(reason)
    made = forecast(config, items, {kind: one.measured for kind, one in known.items()}, given)
    return _shown(config, made, machine, known), None


def _from_record(services: Services, config: Config) -> tuple[Machine, dict[bool, Known]] | None:
    """What past runs and calibrations tell of every kind of phase; None where they leave one out."""
    with services.sessions.begin() as session:
        machine = newest_machine(session, config.precision)
        if machine is None:
            return None
        found = {kind: _known(session, config, machine, freeze=kind) for kind in kinds_needed(config)}
    known = {kind: one for kind, one in found.items() if one is not None}
    return (machine, known) if len(known) == len(found) else None


def _known(session: Session, config: Config, machine: Machine, *, freeze: bool) -> Known | None:
    key = ModelKey(config.arch, config.presize, config.size, config.batch_size)
    past = _of_epochs(past_epochs(session, key, machine, freeze=freeze), config.batch_size)
    if past is not None:
        return past
    calibration = newest_calibration(session, key, machine, freeze=freeze)
    return None if calibration is None else _of_calibration(calibration)


def _of_epochs(epochs: list[PastEpoch], batch_size: int) -> Known | None:
    used = list(_speeds(epochs, batch_size))
    if not used:
        return None
    runs = sorted({epoch.run_id for epoch, _ in used})
    peaks = [epoch.peak_memory_bytes for epoch, _ in used if epoch.peak_memory_bytes is not None]
    measured = Measured(tuple(speed for _, speed in used), max(peaks) if peaks else None)
    basis = f"{_count(len(used), 'epoch')} of run{'s' if len(runs) > 1 else ''} {_listed(runs)}"
    halved = sum(epoch.halved for epoch, _ in used)
    if halved:
        basis += f" ({halved} of them with each batch in two halves, as the memory did not hold a whole one)"
    return Known(measured, "stored", basis)


def _speeds(epochs: list[PastEpoch], batch_size: int) -> Iterator[tuple[PastEpoch, Speed]]:
    for epoch in epochs:
        speed = speed_of_epoch(
            train_items=epoch.train_items,
            valid_items=epoch.valid_items,
            batch_size=batch_size,
            seconds=epoch.seconds,
            images_per_second=epoch.images_per_second,
        )
        if speed is not None:
            yield epoch, speed


def _of_calibration(found: Calibration) -> Known:
    speeds = tuple(Speed(training, found.valid_images_per_second) for training in found.step_images_per_second)
    whole = found.step_pictures == found.batch_size
    of = "" if whole else f" of {found.step_pictures} pictures (a whole batch takes too long to be timed)"
    parts = ", each in two halves, as the memory does not hold a whole batch," if found.accumulation > 1 else ""
    when = f"{found.created_at:%Y-%m-%d %H:%M} UTC"
    basis = f"{_count(len(speeds), 'step')}{of}{parts} timed on made-up pictures at {when}"
    return Known(Measured(speeds, found.peak_memory_bytes), "calibrated", basis)


def _from_worker(services: Services, config: Config) -> tuple[Machine, dict[bool, Known]]:
    """Ask a worker to measure, wait, and read the record again.

    Raises:
        NoForecast: nobody can measure now, or the measurement failed.
    """
    patience = services.settings.calibration_seconds
    if patience == 0:
        raise NoForecast(_unknown(config, "no worker is asked, since PEDIGREE_CALIBRATION_SECONDS is 0"))
    settings = {name: getattr(config, name) for name in TrainSettings.model_fields}
    with services.sessions.begin() as session:
        job = job_in_the_way(session)
        if job is not None:
            raise NoForecast(_unknown(config, f"job {job.id} is {job.state}; ask again when it has ended"))
        request = open_request(session, TrainSettings(**settings).model_dump(mode="json"), patience_seconds=patience)
        if request is None:
            raise NoForecast(_unknown(config, "a worker measures another configuration; ask again in a minute"))
    try:
        publish_calibration(services.celery, request.id, expires_seconds=patience)
    except BrokerError:
        _give_up(services, request.id)
        raise NoForecast(_unknown(config, "the broker does not answer; see GET /readyz")) from None
    _wait(services, config, request.id)
    found = _from_record(services, config)
    if found is None:
        raise NoForecast(_unknown(config, "the measurement did not fit; ask again"))
    return found


def _wait(services: Services, config: Config, request_id: int) -> None:
    patience = services.settings.calibration_seconds
    asked_at = time.monotonic()
    while time.monotonic() < asked_at + patience:
        with services.sessions.begin() as session:
            request = get_request(session, request_id)
            is_late = request.worker is None and time.monotonic() >= asked_at + STARTING_SECONDS
            is_lost = is_late and count_workers(session)[Lane.TRAIN] == 0
        if request.error is not None:
            raise NoForecast(_sentence(request.error))
        if request.answered_at is not None:
            return
        if is_lost:
            _give_up(services, request_id)
            raise NoForecast(_unknown(config, "no worker of the train lane runs; start one, and ask again"))
        time.sleep(POLL_SECONDS)
    if request.worker is None:
        _give_up(services, request_id)
        raise NoForecast(_unknown(config, f"no worker answered within {patience:.0f} s; start one, and ask again"))
    said = f"worker {request.worker} still measures after {patience:.0f} s; ask again in a minute"
    raise NoForecast(_unknown(config, said))


def _give_up(services: Services, request_id: int) -> None:
    """Close a question that nobody took, so that the next one need not wait for it to grow old."""
    error = {"code": "not_asked", "detail": "no worker took the question", "hint": None}
    with services.sessions.begin() as session:
        fail_request(session, request_id, error)


def _shown(config: Config, made: Forecast, machine: Machine, known: dict[bool, Known]) -> ForecastOut:
    # One measurement has no spread: its low and high would be one number, as if that were certain.
    is_range = all(len(one.measured.speeds) > 1 for one in known.values())
    return ForecastOut(
        seconds_per_epoch=[epoch.expected for epoch in made.epochs],
        search_seconds=made.searches.expected,
        total_seconds=made.total.expected,
        total_seconds_low=made.total.low if is_range else None,
        total_seconds_high=made.total.high if is_range else None,
        peak_memory_bytes=made.peak_memory_bytes,
        device=machine.device,
        precision=machine.precision,
        source="stored" if all(one.source == "stored" for one in known.values()) else "calibrated",
        basis=_basis(config, made, machine, known),
    )


def _basis(config: Config, made: Forecast, machine: Machine, known: dict[bool, Known]) -> str:
    """What each kind of phase rests on, with its n and its spread."""
    spreads: dict[bool, Seconds] = {}
    if isinstance(config, ResolvedConfig):
        spreads = {phase.freeze: epoch for phase, epoch in zip(config.phases, made.epochs, strict=True)}
    parts = []
    for kind, one in known.items():
        spread = spreads.get(kind, made.searches)
        what = "an epoch" if kind in spreads else "the search"
        word = "frozen" if kind else "unfrozen"
        seconds = f"{spread.low:.3g} to {spread.high:.3g} s, the median counts"
        if len(one.measured.speeds) == 1:
            seconds = f"{spread.expected:.3g} s, measured once"
        parts.append(f"{word} from {one.basis}: {what} {seconds}")
    return f"On {machine.device} in {machine.precision}: {'; '.join(parts)}. {ON_TOP}"


def _unknown(config: Config, why: str) -> str:
    model = f"{config.arch} at presize {config.presize}, size {config.size}, batch_size {config.batch_size}"
    return f"nothing is on record for {model} in precision {config.precision}, and {why}"


def _sentence(error: dict[str, Any]) -> str:
    hint = f". {error['hint']}" if error.get("hint") else ""
    return f"{error['code']}: {error['detail']}{hint}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(numbers: list[int]) -> str:
    head = ", ".join(map(str, numbers[:-1]))
    return f"{head} and {numbers[-1]}" if head else str(numbers[-1])
