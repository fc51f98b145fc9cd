"""What is counted of every answer in this process until it is added to the record: counts, of no one picture."""

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import log2

from api.schemas.predictions import Prediction
from ml.decode.appearance import Appearance, appearance
from ml.decode.image_kind import KINDS, kind_of
from ml.reading.drift import SCALES, aspect_of

MOST_VERSIONS = 64
"""Versions and days that are counted at once; more wait for nobody."""


@dataclass
class DayCounts:
    """Counts of one version on one day."""

    breeds: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    scales: dict[str, list[int]] = field(default_factory=dict)
    kinds: list[int] = field(default_factory=lambda: [0] * len(KINDS))

    def add_value(self, figure: str, value: float) -> None:
        scale = SCALES[figure]
        counts = self.scales.get(figure)
        if counts is None:
            counts = self.scales[figure] = [0] * scale.steps
        counts[scale.step_of(value)] += 1

    def add_photo(self, data: bytes) -> None:
        """Count what kind of file a photo is, and how it looks where that costs little."""
        self.add_looks(kind_of(data), appearance(data))

    def add_looks(self, kind: int, looks: Appearance | None) -> None:
        """The same, of a photo that was looked at."""
        self.kinds[kind] += 1
        if looks is None:
            return
        self.add_value("brightness", looks.brightness)
        self.add_value("contrast", looks.contrast)
        self.add_value("sharpness", log2(looks.sharpness + 1))
        self.add_value("aspect", aspect_of(looks.width, looks.height))
        self.add_value("pixels", log2(looks.width * looks.height))

    def note_known(self, known: bool | None) -> None:
        """Count whether the model knew what it saw; None, where it cannot say, is not counted."""
        if known is not None:
            self.flags[f"known:{known}"] += 1

    def with_more(self, more: "DayCounts") -> "DayCounts":
        scales = {name: list(counts) for name, counts in self.scales.items()}
        for name, counts in more.scales.items():
            scales[name] = [one + other for one, other in zip(scales.get(name, [0] * len(counts)), counts, strict=True)]
        kinds = [one + other for one, other in zip(self.kinds, more.kinds, strict=True)]
        return DayCounts(self.breeds + more.breeds, self.flags + more.flags, scales, kinds)

    def figures(self, vocab: list[str]) -> dict[str, list[int]]:
        """As the record has them: breeds by the model's vocabulary, flags as no and yes."""
        found = dict(self.scales)
        if any(self.kinds):
            found["kind"] = self.kinds
        if self.breeds:
            found["breeds"] = [self.breeds[breed] for breed in vocab]
        for flag in ("sure", "known"):
            counts = [self.flags[f"{flag}:{told}"] for told in (False, True)]
            if any(counts):
                found[flag] = counts
        return found


Key = tuple[int, date]


class Tally:
    """Adds up answers; what it has is taken away now and then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[Key, DayCounts] = defaultdict(DayCounts)

    def add_answer(self, version: int, said: Prediction) -> None:
        """Count an answer: its breed, its probability, whether the model was sure and knew it."""
        with self._lock:
            counted = self._of(version)
            if counted is not None:
                counted.breeds[said.breed] += 1
                counted.add_value("probability", said.raw_probability)
                counted.flags[f"sure:{said.sure}"] += 1
                counted.note_known(said.known)

    def add_photo(self, version: int, data: bytes) -> None:
        """Count a photo that a version was asked about."""
        kind, looks = kind_of(data), appearance(data)
        with self._lock:
            counted = self._of(version)
            if counted is not None:
                counted.add_looks(kind, looks)

    def take(self) -> dict[Key, DayCounts]:
        """All that was counted since the last time."""
        with self._lock:
            taken, self._counted = self._counted, defaultdict(DayCounts)
            return dict(taken)

    def _of(self, version: int) -> DayCounts | None:
        key = version, datetime.now(UTC).date()
        if key not in self._counted and len(self._counted) >= MOST_VERSIONS:
            return None
        return self._counted[key]
