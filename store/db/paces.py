"""How fast past runs trained, and steps that were timed: what a forecast is made from."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, lazyload

from store.db.models import Epoch, Run
from store.db.throughput_table import Throughput

RUNS_USED = 5
RUNS_LOOKED_AT = 50
"""A run may have no epochs of the asked kind; so many are looked through for those that have."""


@dataclass(frozen=True)
class ModelKey:
    """What decides how long a step takes, beside the machine. Sizes in pixels."""

    arch: str
    presize: int
    size: int
    batch_size: int


@dataclass(frozen=True)
class Machine:
    """Where it runs and in which number format, as a run's plan names them."""

    device: str
    precision: str


@dataclass(frozen=True)
class PastEpoch:
    """An epoch of a past run. ``images_per_second`` is training alone, ``seconds`` has the validation too.

    ``halved``: some of its batches, or all, were trained in parts.
    """

    run_id: int
    train_items: int
    valid_items: int
    seconds: float
    images_per_second: float
    peak_memory_bytes: int | None
    halved: bool


@dataclass(frozen=True)
class NewestPace:
    """How fast a whole network was trained last. ``run`` is None where steps were timed."""

    images_per_second: float
    size: int
    batch_size: int
    device: str
    precision: str
    peak_memory_bytes: int | None
    run: int | None
    at: datetime


def newest_paces(session: Session) -> dict[str, NewestPace]:
    """Of each architecture that was trained unfrozen: its newest epoch, or steps that were timed later."""
    timed = _timed_paces(session)
    run = _run_paces(session)
    return {arch: max(filter(None, (timed.get(arch), run.get(arch))), key=_when) for arch in timed.keys() | run.keys()}


def newest_machine(session: Session, precision: str) -> Machine | None:
    """The machine that last ran what asked for ``precision`` (auto, fp32, bf16 or fp16); None: nothing ever did."""
    asked = Run.config["precision"].astext if precision == "auto" else Run.precision
    runs = select(Run.device, Run.precision, Run.created_at).where(
        asked == precision, Run.device.is_not(None), _on_one_device()
    )
    measured = select(Throughput.device, Throughput.precision, Throughput.created_at).where(
        Throughput.precision_asked == precision
    )
    newest = [
        row
        for row in (
            session.execute(runs.order_by(Run.id.desc()).limit(1)).first(),
            session.execute(measured.order_by(Throughput.id.desc()).limit(1)).first(),
        )
        if row is not None
    ]
    if not newest:
        return None
    latest = max(newest, key=lambda row: row.created_at)
    return Machine(latest.device, latest.precision)


def past_epochs(session: Session, key: ModelKey, machine: Machine, *, freeze: bool) -> list[PastEpoch]:
    """Whole epochs of the newest runs of this model on this machine, with the body frozen or without.

    What learned from features alone, from photos of another size or on several devices is not among them.
    """
    here = [*_is_model(key), Run.device == machine.device, Run.precision == machine.precision]
    statement = select(Run).where(
        Run.kind == "train",
        Run.config["recipe"].astext.is_distinct_from("probe"),
        _trains_at_size(),
        _on_one_device(),
        *here,
        Run.plan.is_not(None),
        exists().where(Epoch.run_id == Run.id),
    )
    runs = session.scalars(statement.order_by(Run.id.desc()).limit(RUNS_LOOKED_AT)).all()
    found: list[PastEpoch] = []
    used = 0
    for run in runs:
        epochs = _epochs_of(session, run, freeze)
        used += bool(epochs)
        found += epochs
        if used == RUNS_USED:
            break
    return found


def record_throughput(
    session: Session,
    key: ModelKey,
    machine: Machine,
    *,
    precision_asked: str,
    freeze: bool,
    images_per_second: float,
    valid_images_per_second: float,
    step_images_per_second: list[float],
    step_pictures: int,
    accumulation: int,
    peak_memory_bytes: int | None,
) -> None:
    """Keep what was timed of one kind of phase."""
    session.add(
        Throughput(
            arch=key.arch,
            presize=key.presize,
            size=key.size,
            batch_size=key.batch_size,
            device=machine.device,
            precision=machine.precision,
            precision_asked=precision_asked,
            freeze=freeze,
            images_per_second=images_per_second,
            valid_images_per_second=valid_images_per_second,
            step_images_per_second=step_images_per_second,
            step_pictures=step_pictures,
            accumulation=accumulation,
            peak_memory_bytes=peak_memory_bytes,
        )
    )


def newest_throughput(session: Session, key: ModelKey, machine: Machine, *, freeze: bool) -> Throughput | None:
    """The last measurement of this model on this machine."""
    statement = select(Throughput).where(
        Throughput.arch == key.arch,
        Throughput.presize == key.presize,
        Throughput.size == key.size,
        Throughput.batch_size == key.batch_size,
        Throughput.device == machine.device,
        Throughput.precision == machine.precision,
        Throughput.freeze == freeze,
    )
    return session.scalars(statement.order_by(Throughput.id.desc()).limit(1)).first()


def _is_model(key: ModelKey) -> list[ColumnElement[bool]]:
    return [
        Run.config["arch"].astext == key.arch,
        Run.config["presize"].as_integer() == key.presize,
        Run.config["size"].as_integer() == key.size,
        Run.config["batch_size"].as_integer() == key.batch_size,
    ]


def _trains_at_size() -> ColumnElement[bool]:
    """Whether a run's training photos are as large as those that it measures; runs of before could not do otherwise."""
    return func.coalesce(Run.config["train_size"].astext, "size") == "size"


def _on_one_device() -> ColumnElement[bool]:
    """Whether a run had one to itself; runs of before could not do otherwise."""
    return func.coalesce(Run.config["devices"].astext, "1") == "1"


def _epochs_of(session: Session, run: Run, freeze: bool) -> list[PastEpoch]:
    """The run's epochs of a kind that were trained in one go: from where it was last taken up again, on."""
    phases, plan = run.config["phases"], run.plan or {}
    of_kind = [number for number, phase in enumerate(phases) if phase["freeze"] == freeze]
    statement = select(Epoch).where(Epoch.run_id == run.id, Epoch.phase.in_(of_kind))
    epochs = session.scalars(statement.order_by(Epoch.phase, Epoch.epoch)).all()
    before = [sum(phase["epochs"] for phase in phases[:number]) for number in range(len(phases))]
    steps = plan["train_items"] // run.config["batch_size"]
    return [
        PastEpoch(
            run_id=run.id,
            train_items=plan["train_items"],
            valid_items=plan["valid_items"],
            seconds=epoch.seconds,
            images_per_second=epoch.images_per_second,
            peak_memory_bytes=epoch.peak_memory_bytes,
            halved=_is_halved(run, epoch),
        )
        for epoch in epochs
        # An epoch that began before was interrupted, or may have been: its seconds may be of its end alone.
        if (before[epoch.phase] + epoch.epoch) * steps >= plan.get("resumed_from_step", 0)
    ]


def _is_halved(run: Run, epoch: Epoch) -> bool:
    plan = run.plan or {}
    if plan.get("accumulation", 1) == 1:
        return False
    before = sum(phase["epochs"] for phase in run.config["phases"][: epoch.phase]) + epoch.epoch
    end: int = (before + 1) * (plan["train_items"] // run.config["batch_size"])
    first: int = plan.get("halved_from_step") or 0
    return end > first


def _when(pace: NewestPace) -> datetime:
    return pace.at


def _timed_paces(session: Session) -> dict[str, NewestPace]:
    newest = select(Throughput).where(~Throughput.freeze).ext(distinct_on(Throughput.arch))
    found = session.scalars(newest.order_by(Throughput.arch, Throughput.id.desc())).all()
    return {
        one.arch: NewestPace(
            images_per_second=one.images_per_second,
            size=one.size,
            batch_size=one.batch_size,
            device=one.device,
            precision=one.precision,
            peak_memory_bytes=one.peak_memory_bytes,
            run=None,
            at=one.created_at,
        )
        for one in found
    }


def _run_paces(session: Session) -> dict[str, NewestPace]:
    """Of each architecture its newest runs are looked at, until one has an unfrozen epoch: never all there were."""
    archs = select(Run.arch).where(Run.arch.is_not(None)).distinct().subquery()
    is_unfrozen = Run.config["phases"][Epoch.phase]["freeze"].as_boolean().is_(False)
    newest = (
        select(Run.id, Epoch.phase, Epoch.epoch)
        .join(Epoch, Epoch.run_id == Run.id)
        .where(Run.arch == archs.c.arch, Run.device.is_not(None), is_unfrozen, _trains_at_size(), _on_one_device())
        .order_by(Run.id.desc(), Epoch.phase.desc(), Epoch.epoch.desc())
        .limit(1)
        .correlate(archs)
        .lateral()
    )
    is_newest = and_(Epoch.run_id == newest.c.id, Epoch.phase == newest.c.phase, Epoch.epoch == newest.c.epoch)
    found = select(Run, Epoch).select_from(archs).join(newest, true()).join(Epoch, is_newest)
    rows = session.execute(found.join(Run, Run.id == newest.c.id).options(lazyload(Run.dataset))).all()
    return {
        run.config["arch"]: NewestPace(
            images_per_second=epoch.images_per_second,
            size=run.config["size"],
            batch_size=run.config["batch_size"],
            # Of a run that has epochs both are known.
            device=run.device or "",
            precision=run.precision or "",
            peak_memory_bytes=epoch.peak_memory_bytes,
            run=run.id,
            at=run.created_at,
        )
        for run, epoch in rows
    }
