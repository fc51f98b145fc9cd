"""How long a training will take, from how fast its kind of steps went before. Arithmetic alone; imports no torch.

An epoch of T training and V validation photos at batch size B takes (T // B) · B / s + V / v seconds, where s and v
are pictures per second in training and in validation. A search for a rate takes sweeps · steps · B / s. Smaller
training photos take as much less as their area is smaller. A phase on features is one pass over all pictures at v, and
its epochs and searches take nothing beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ml.config import LrFind, LrSweep, ResolvedConfig, TrainSettings
from ml.sizes import Sizes, sizes_of


@dataclass(frozen=True)
class Speed:
    """One measurement: pictures per second in training and in validation."""

    training: float
    validation: float


@dataclass(frozen=True)
class PhaseSpeeds:
    """What is known of one kind of phase (body frozen, or not). ``speeds`` are not empty; memory in bytes."""

    speeds: tuple[Speed, ...]
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class Seconds:
    """A duration: what the median measurement says, and the fastest and the slowest."""

    expected: float
    low: float
    high: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.expected + other.expected, self.low + other.low, self.high + other.high)

    def __mul__(self, times: float) -> "Seconds":
        return Seconds(self.expected * times, self.low * times, self.high * times)


NOTHING = Seconds(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Forecast:
    """Durations of one epoch of each phase, of all searches for a rate, and of everything; peak memory in bytes."""

    epochs: tuple[Seconds, ...]
    searches: Seconds
    total: Seconds
    peak_memory_bytes: int | None


def split_sizes(items: int, config: TrainSettings, given: Mapping[str, int] | None = None) -> tuple[int, int]:
    """Training and validation photos of a split (workflow-spec 1.2).

    Args:
        items: of the dataset.
        config: how it is split.
        given: items of each side of the dataset's own split, where it has one.
    """
    if given is not None and given["valid"] and config.split == "given":
        return given["train"], given["valid"]
    pool = items - (0 if given is None else given["test"])
    valid = int(config.valid_pct * pool)
    return pool - valid, valid


def kinds_needed(config: ResolvedConfig | LrFind) -> tuple[bool, ...]:
    """The kinds of phase that a job has: True for a frozen body, False for one that is not."""
    if isinstance(config, LrFind):
        return (config.freeze,)
    return tuple(dict.fromkeys(phase.freeze for phase in config.phases))


def forecast(
    config: ResolvedConfig | LrFind,
    items: int,
    measured: Mapping[bool, PhaseSpeeds],
    given: Mapping[str, int] | None = None,
) -> Forecast:
    """Durations of a training, or of a search.

    Args:
        config: what will run.
        items: pictures of the dataset.
        measured: by kind of phase, every kind of ``kinds_needed``.
        given: items of each side of the dataset's own split, where it has one.

    Returns:
        The forecast. Sweeps are counted in full: one that ends early takes less. Presizing and the start of
        the job's process are not in it.
    """
    train, valid = split_sizes(items, config, given)
    batch, steps = config.batch_size, train // config.batch_size
    sizes = sizes_of(config, steps)
    peak = _largest([measured[kind].peak_memory_bytes for kind in kinds_needed(config)])
    if isinstance(config, LrFind):
        search = _search(config.lr_sweep, batch, measured[config.freeze]) * sizes.work(0, 1)
        return Forecast((), search, search, peak)
    epochs, searches, first = [], NOTHING, 0
    for number, phase in enumerate(config.phases):
        known, end = measured[phase.freeze], first + phase.epochs * steps
        if config.on_features(number):
            epochs.append(_pass(train + valid, known.speeds) * (1 / phase.epochs))
        else:
            epochs.append(_epoch(steps * batch * _share(sizes, first, end), valid, known.speeds))
            if phase.auto == "find":
                searches += _search(config.lr_sweep, batch, known) * sizes.work(first, first + 1)
        first = end
    total = searches
    for phase, seconds in zip(config.phases, epochs, strict=True):
        total += seconds * phase.epochs
    return Forecast(tuple(epochs), searches, total, peak)


def _share(sizes: Sizes, first: int, end: int) -> float:
    """What a step of these costs on average, beside one at the size of validation."""
    return sizes.work(first, end) / (end - first) if end > first else 1.0


def _pass(pictures: int, speeds: Sequence[Speed]) -> Seconds:
    """The body over all pictures, as fast as validation."""
    return _spread([pictures / speed.validation for speed in speeds])


def speed_of_epoch(
    *, train_items: int, valid_items: int, batch_size: int, seconds: float, images_per_second: float
) -> Speed | None:
    """The speeds of a whole epoch that was trained before, in one go.

    Args:
        train_items: training photos; what does not fill a batch was left out.
        valid_items: validation photos.
        batch_size: pictures in a batch.
        seconds: of the whole epoch, with its validation.
        images_per_second: of its training alone.

    Returns:
        None where the figures leave no time for the validation: they are not of a whole epoch.
    """
    if images_per_second <= 0:
        return None
    validating = seconds - train_items // batch_size * batch_size / images_per_second
    return Speed(images_per_second, valid_items / validating) if validating > 0 else None


def _epoch(train: float, valid: int, speeds: Sequence[Speed]) -> Seconds:
    return _spread([train / speed.training + valid / speed.validation for speed in speeds])


def _search(sweep: LrSweep, batch: int, measured: PhaseSpeeds) -> Seconds:
    images = sweep.sweeps * sweep.steps * batch
    return _spread([images / speed.training for speed in measured.speeds])


def _spread(seconds: Sequence[float]) -> Seconds:
    return Seconds(median(seconds), min(seconds), max(seconds))


def _largest(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return max(known) if known else None
