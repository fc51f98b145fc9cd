"""What a run is, whichever client it belongs to: its record as attributes, and how a notebook shows it."""

from datetime import datetime
from typing import Any

from pedigree import html, schemas
from pedigree.curve import curve
from pedigree.live import EPOCH_COLUMNS, epoch_row


class RecordedRun:
    """A run as it was last read; ``record`` is the service's whole answer."""

    def __init__(self, record: schemas.RunOut) -> None:
        self.record = record
        self._shown: schemas.Metrics | None = None

    @property
    def id(self) -> int:
        """Its number."""
        return self.record.id

    @property
    def job(self) -> int:
        """The number of the job that makes it."""
        return self.record.job

    @property
    def state(self) -> schemas.State:
        """queued, running, cancelling, succeeded, failed or cancelled."""
        return self.record.state

    @property
    def name(self) -> str | None:
        """Its name for people."""
        return self.record.name

    @property
    def config(self) -> dict[str, Any]:
        """Its whole configuration."""
        return self.record.config

    @property
    def error_rate(self) -> float | None:
        """On the validation photos; None before the end."""
        return self.record.error_rate

    @property
    def created_at(self) -> datetime:
        """When it was asked for."""
        return self.record.created_at

    def __repr__(self) -> str:
        rate = "" if self.error_rate is None else f", error rate {self.error_rate:.4f}"
        return f"<Run {self.id}: {self._about()}, {self.state}{rate}>"

    def _about(self) -> str:
        what = self.record.recipe or self.record.kind
        return f"{what} of {self.record.arch} on {self.record.dataset.name}"

    def _html(self, metrics: schemas.Metrics | None) -> str:
        """The state, the losses by step and the table of epochs."""
        shown = html.line(repr(self).strip("<>"))
        if metrics is not None and metrics.epochs:
            steps = list(zip(metrics.batches.step, metrics.batches.train_loss, strict=False))
            shown += curve({"training loss": steps}, label="training loss by step")
            rows = [epoch_row(epoch.model_dump()) for epoch in metrics.epochs]
            shown += html.table(EPOCH_COLUMNS, rows)
        return shown + "".join(html.line(reading.sentence) for reading in self.record.curves)
