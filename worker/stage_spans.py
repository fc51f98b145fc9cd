"""What an attempt does, as spans: its stages one after the other, and the epochs of a training."""

import time

from ml.reporting import EpochRecord
from store.tracing import past_span

IN_EPOCHS = frozenset({"train", "validate"})
"""The stages that epochs are made of: they follow each other, and the epochs tell of them."""


class StageSpans:
    """Told of where the work stands; a span is told of when it is over, so that none is left open."""

    def __init__(self) -> None:
        self._stage = ""
        self._since = 0.0

    def at(self, stage: str) -> None:
        """The work is in this stage; the one before is over."""
        if stage != self._stage:
            self.end()
            self._stage, self._since = stage, time.time()

    def end(self) -> None:
        """The stage is over, and none follows yet."""
        stage, self._stage = self._stage, ""
        if stage and stage not in IN_EPOCHS:
            past_span(stage, {}, began=self._since)

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is over, with its validation. It has the numbers of its record, which count from 0."""
        about = {
            "pedigree.phase": record.phase,
            "pedigree.epoch": record.epoch,
            "pedigree.images_per_second": record.images_per_second,
        }
        past_span("epoch", about, began=time.time() - record.seconds)
