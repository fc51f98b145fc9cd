"""Prometheus figures of the work on record and of the disks: set anew whenever they are asked for."""

import logging
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from api.http.room import disk_of
from store.db.work_figures import WorkFigures

logger = logging.getLogger(__name__)


class WorkTelemetry:
    """The gauges, in a registry that it is given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"pedigree_{name}", text, labels, registry=registry)

        self.oldest = gauge("oldest_queued_job_seconds", "How long the job waits that has waited longest", "lane")
        self.again = gauge("jobs_attempted_again", "Jobs not ended that have lost an attempt", "lane")
        self.failed = gauge("jobs_failed", "Failed jobs on record by the code of their error", "code")
        self.speed = gauge("training_images_per_second", "Of the newest epochs of all running trainings together")
        self.memory = gauge("training_peak_memory_bytes", "Most that a running training has held")
        self.epochs = gauge("epochs", "Epochs on record")
        self.gpus = gauge("worker_gpu_memory_bytes", "Memory of the GPU of a living worker", "worker")
        self.free = gauge("disk_free_bytes", "Free on the disk that a place lies on", "place")
        self.whole = gauge("disk_bytes", "Size of the disk that a place lies on", "place")

    def set_work(self, figures: WorkFigures) -> None:
        """Take what the database says; what has gone from it is no longer told."""
        for lane, seconds in figures.oldest_seconds.items():
            self.oldest.labels(lane).set(seconds)
        for lane, count in figures.again.items():
            self.again.labels(lane).set(count)
        _set_all(self.failed, figures.failed)
        _set_all(self.gpus, figures.gpu_bytes)
        self.speed.set(figures.images_per_second)
        self.memory.set(figures.peak_memory_bytes)
        self.epochs.set(figures.epochs)

    def set_disks(self, places: Mapping[str, Path]) -> None:
        """Look at the disks of some places; one that can't be looked at is not told."""
        self.free.clear()
        self.whole.clear()
        for name, folder in places.items():
            try:
                usage = disk_of(folder)
            except OSError as error:
                logger.warning("the disk of %s was not looked at: %s", name, error)
                continue
            self.free.labels(name).set(usage.free)
            self.whole.labels(name).set(usage.total)


def _set_all(gauge: Gauge, values: Mapping[str, float]) -> None:
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(value)
