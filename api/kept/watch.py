"""Counts what is asked and answered, beside the requests, and adds it to the record every minute."""

import logging
import queue
import threading
import time
from contextlib import suppress
from datetime import timedelta

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.kept.reference import ReferenceMaker
from api.kept.tally import DayCounts, Key, Tally
from api.schemas.predictions import Prediction
from ml.reading.drift import Drift, compare
from store.db.drift import add_counts, counts_since, reference_of, set_reference, today, versions_counted
from store.db.kept import vocabulary_of
from store.errors import AppError

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 60.0
LOOK_SECONDS = 0.5
"""Of the photos one is looked at in so many seconds at most: a fixed small part of a core, however many come."""
MOST_WAITING = 4
DAYS = 7
"""What the figures in /metrics are of."""
MOST_SHOWN = 4
"""Versions in /metrics, the newest that answered."""


class Watch:
    """The thread that looks at some photos, keeps the counts on record and works out how far they have drifted."""

    def __init__(
        self, sessions: sessionmaker[Session], references: ReferenceMaker, registry: CollectorRegistry
    ) -> None:
        self._sessions = sessions
        self._references = references
        self._tally = Tally()
        self._photos: queue.Queue[tuple[int, bytes] | None] = queue.Queue(MOST_WAITING)
        self._look_from = 0.0
        self._unsaved: dict[Key, DayCounts] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
        labels = ["version", "figure"]
        self._psi = Gauge(
            "pedigree_drift_psi",
            f"How far the last {DAYS} days lie from the run's validation side (population stability index)",
            labels,
            registry=registry,
        )
        self._chance = Gauge(
            "pedigree_drift_by_chance",
            "What 99 % of such samples stay below without any drift",
            labels,
            registry=registry,
        )
        self._seen = Gauge(
            "pedigree_drift_seen", f"Pictures of the last {DAYS} days that were counted", labels, registry=registry
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Add what was counted to the record, and end."""
        self._stopping.set()
        with suppress(queue.Full):
            self._photos.put_nowait(None)
        if self._thread.ident is not None:
            self._thread.join(10)

    def wants_photo(self) -> bool:
        """Whether the next photo is one to look at; whoever is told so gives it to :meth:`add`."""
        now = time.monotonic()
        if now < self._look_from:
            return False
        self._look_from = now + LOOK_SECONDS
        return True

    def add(self, version: int, said: Prediction, data: bytes | None) -> None:
        """Count an answer, and have its photo looked at where there is one."""
        self._tally.add_answer(version, said)
        if data is not None:
            with suppress(queue.Full):  # one that is not looked at is missed by nobody
                self._photos.put_nowait((version, data))

    def _run(self) -> None:
        flush_at = time.monotonic() + FLUSH_SECONDS
        while not self._stopping.is_set():
            self._look()
            if time.monotonic() >= flush_at:
                self.flush()
                flush_at = time.monotonic() + FLUSH_SECONDS
        self._save()

    def _look(self) -> None:
        try:
            found = self._photos.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            return
        if found is not None:
            self._tally.add_photo(*found)

    def flush(self) -> None:
        """Put the counts on record, make what is missing to compare them with, and show how far they lie apart."""
        if not self._save():
            return
        try:
            self._show()
        except SQLAlchemyError as error:
            logger.warning("drift was not worked out: %s", str(error).splitlines()[0])

    def _save(self) -> bool:
        """Whether everything is on record now; what is not waits for the next time."""
        for key, counted in self._tally.take().items():
            self._unsaved[key] = counted if key not in self._unsaved else self._unsaved[key].with_more(counted)
        try:
            for version, day in list(self._unsaved):
                with self._sessions.begin() as session:
                    # Of a version that was deleted meanwhile nothing is to come back.
                    if vocab := vocabulary_of(session, version):
                        add_counts(session, version, day, self._unsaved[version, day].figures(vocab))
                del self._unsaved[version, day]
        except SQLAlchemyError as error:
            logger.warning("counts of predictions wait for the database: %s", str(error).splitlines()[0])
            return False
        return True

    def _show(self) -> None:
        with self._sessions.begin() as session:
            first = today(session) - timedelta(days=DAYS - 1)
            versions = versions_counted(session, first)
        for gauge in (self._psi, self._chance, self._seen):
            gauge.clear()
        for version in versions[:MOST_SHOWN]:
            self._make_reference(version)
            with self._sessions.begin() as session:
                seen, reference = counts_since(session, version, first), reference_of(session, version)
            for figure, drift in compared(seen, reference.counts if reference else {}).items():
                self._set(version, figure, drift)

    def _set(self, version: int, figure: str, drift: Drift) -> None:
        self._seen.labels(version, figure).set(drift.seen)
        if drift.psi is not None and drift.by_chance is not None:
            self._psi.labels(version, figure).set(drift.psi)
            self._chance.labels(version, figure).set(drift.by_chance)

    def _make_reference(self, version: int) -> None:
        with self._sessions.begin() as session:
            if reference_of(session, version) is not None:
                return
        try:
            counts, missing = self._references.counts(version)
        except (AppError, OSError) as error:
            logger.warning("version %d: its validation side was not counted: %s", version, error)
            return
        with self._sessions.begin() as session:
            set_reference(session, version, counts, missing)


def compared(seen: dict[str, list[int]], reference: dict[str, list[int]]) -> dict[str, Drift]:
    """Each figure that was counted on both sides."""
    return {name: compare(seen[name], reference[name]) for name in sorted(seen.keys() & reference.keys())}
