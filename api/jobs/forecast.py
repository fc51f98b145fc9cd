"""How long a job would take here: from past runs' epochs, else from steps that a forecast job timed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from api.schemas.forecast import ForecastOut
from ml.config import LrFind, ResolvedConfig, config_of_job
from ml.reading.forecast import Forecast, PhaseSpeeds, Seconds, Speed, forecast, kinds_needed, speed_of_epoch
from store.db.models import Dataset, Job
from store.db.paces import Machine, ModelKey, PastEpoch, newest_machine, newest_throughput, past_epochs
from store.db.throughput_table import Throughput
from store.states import State

ON_TOP = (
    "The job's start (its process, torch, the weights; some seconds) and building the presized cache, where there is "
    "none yet, come on top."
)
MEASURE = 'POST /jobs {"kind": "forecast", "of": REQUEST} has a worker time a few steps'
NOT_OF_SEVERAL = "trainings on several devices are not forecast"

Config = ResolvedConfig | LrFind


@dataclass(frozen=True)
class Evidence:
    """What is known of one kind of phase, and where from. ``basis`` is for people."""

    measured: PhaseSpeeds
    source: Literal["stored", "measured"]
    basis: str


def forecast_on_record(
    session: Session, config: Config, dataset: Dataset, machine: Machine | None = None
) -> ForecastOut | None:
    """What past runs, and else steps that were timed, tell of a training or a search on one device.

    Args:
        session: the caller's transaction.
        config: what would run.
        dataset: on what.
        machine: where; None: on the one that last ran what asked for this precision.

    Returns:
        None where they leave out a kind of phase, no machine is known, or several devices are asked for.
    """
    if on_several(config):
        return None
    machine = machine or newest_machine(session, config.precision)
    if machine is None:
        return None
    found = {kind: _known(session, config, machine, freeze=kind) for kind in kinds_needed(config)}
    known = {kind: one for kind, one in found.items() if one is not None}
    if len(known) < len(found):
        return None
    measured = {kind: one.measured for kind, one in known.items()}
    made = forecast(config, dataset.items, measured, dataset.summary.get("split"))
    return _shown(config, made, machine, known)


def forecast_of_job(session: Session, job: Job) -> ForecastOut | None:
    """What a forecast job came to, by what is on record now; None for other kinds, and before it has succeeded."""
    if job.kind != "forecast" or job.state != State.SUCCEEDED:
        return None
    asked = job.payload
    dataset = session.get_one(Dataset, asked["dataset_id"])
    machine = Machine(asked["device"], asked["precision"])
    return forecast_on_record(session, config_of_job(asked["config"]), dataset, machine)


def on_several(config: Config) -> bool:
    """Whether it asks for more devices than one; how many ``all`` are is known to the worker that takes it."""
    return isinstance(config, ResolvedConfig) and config.devices != 1


def why_unknown(config: Config) -> str:
    """Why there is no forecast without a measurement, and how to get one."""
    if on_several(config):
        return f"{NOT_OF_SEVERAL}; once it runs, its progress says the time left"
    model = f"{config.arch} at presize {config.presize}, size {config.size}, batch_size {config.batch_size}"
    return f"nothing is on record for {model} in precision {config.precision}; {MEASURE}"


def _known(session: Session, config: Config, machine: Machine, *, freeze: bool) -> Evidence | None:
    key = ModelKey(config.arch, config.presize, config.size, config.batch_size)
    past = _of_epochs(past_epochs(session, key, machine, freeze=freeze), config.batch_size)
    if past is not None:
        return past
    timed = newest_throughput(session, key, machine, freeze=freeze)
    return None if timed is None else _of_throughput(timed)


def _of_epochs(epochs: list[PastEpoch], batch_size: int) -> Evidence | None:
    used = list(_speeds(epochs, batch_size))
    if not used:
        return None
    runs = sorted({epoch.run_id for epoch, _ in used})
    peaks = [epoch.peak_memory_bytes for epoch, _ in used if epoch.peak_memory_bytes is not None]
    measured = PhaseSpeeds(tuple(speed for _, speed in used), max(peaks) if peaks else None)
    basis = f"{_count(len(used), 'epoch')} of run{'s' if len(runs) > 1 else ''} {_listed(runs)}"
    halved = sum(epoch.halved for epoch, _ in used)
    if halved:
        basis += f" ({halved} of them with each batch in two halves, as the memory did not hold a whole one)"
    return Evidence(measured, "stored", basis)


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


def _of_throughput(found: Throughput) -> Evidence:
    speeds = tuple(Speed(training, found.valid_images_per_second) for training in found.step_images_per_second)
    whole = found.step_pictures == found.batch_size
    of = "" if whole else f" of {found.step_pictures} images (a whole batch takes too long to be timed)"
    parts = ", each in two halves, as the memory does not hold a whole batch," if found.accumulation > 1 else ""
    when = f"{found.created_at:%Y-%m-%d %H:%M} UTC"
    basis = f"{_count(len(speeds), 'step')}{of}{parts} timed on made-up images at {when}"
    return Evidence(PhaseSpeeds(speeds, found.peak_memory_bytes), "measured", basis)


def _shown(config: Config, made: Forecast, machine: Machine, known: dict[bool, Evidence]) -> ForecastOut:
    # One measurement has no spread: its low and high would be one number, as if that were certain.
    is_range = all(len(one.measured.speeds) > 1 for one in known.values())
    return ForecastOut(
        seconds_per_epoch=[epoch.expected for epoch in made.epochs],
        rate_search_seconds=made.searches.expected,
        total_seconds=made.total.expected,
        total_seconds_low=made.total.low if is_range else None,
        total_seconds_high=made.total.high if is_range else None,
        peak_memory_bytes=made.peak_memory_bytes,
        device=machine.device,
        precision=machine.precision,
        source="stored" if all(one.source == "stored" for one in known.values()) else "measured",
        basis=_basis(config, made, machine, known),
    )


def _basis(config: Config, made: Forecast, machine: Machine, known: dict[bool, Evidence]) -> str:
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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(numbers: list[int]) -> str:
    head = ", ".join(map(str, numbers[:-1]))
    return f"{head} and {numbers[-1]}" if head else str(numbers[-1])
