"""What is counted of keeping."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

Reason = Literal["queue_full", "database", "photo_too_large", "photo_store"]


class Counters:
    """Kept predictions and photos, those that were not, and those that wait."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.kept = Counter("pedigree_predictions_kept", "Predictions written to the record", registry=registry)
        self.photos = Counter("pedigree_photos_kept", "Photos given to the artifact store", registry=registry)
        self.dropped = Counter(
            "pedigree_predictions_not_kept",
            "Predictions, or photos of them, that should have been kept and were not",
            ["reason"],
            registry=registry,
        )
        self.waiting = Gauge("pedigree_predictions_to_keep", "Predictions that wait to be written", registry=registry)

    def drop(self, reason: Reason, count: int = 1) -> None:
        """Count what was lost."""
        self.dropped.labels(reason).inc(count)
