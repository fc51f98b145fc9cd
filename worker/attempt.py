"""What the work of one attempt of a job is given, and what every kind of job does with the artifact store."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session, sessionmaker

from ml.cache_names import bundle_copy
from ml.config import AddedBreeds
from ml.data.bundle import Bundle, ImageSource
from ml.data.cache_room import make_room, note_opened
from ml.data.manifest import Manifest
from ml.decode.images import Limits
from ml.errors import ArchiveRejected, Stopped
from ml.reading.metrics import Reading
from ml.reporting import Progress
from store.artifacts import ArtifactStore, StoredFile
from store.db.datasets import dataset_of_revision
from store.db.jobs import change_state
from store.db.models import Artifact, Dataset, Job, Run
from store.db.reading import get_artifact
from store.db.records import record_artifact
from store.deletions import delete_unheld
from store.errors import AppError, ArtifactMissing, ServiceUnavailable
from store.keys import MODEL, bundle_key, manifest_key, output_key
from store.settings import Settings
from store.states import State
from worker.fetched import FetchedBundle
from worker.patience import OUTAGE_SECONDS, STORE, patiently
from worker.reading_record import record_reading
from worker.reporter import JobReporter

log = logging.getLogger(__name__)

MIB = 1 << 20

Result = TypeVar("Result")


class JobBroken(AppError):
    """The job's row lacks what its kind needs."""

    code = "job_broken"
    title = "Broken job"


@dataclass(frozen=True)
class Attempt:
    """One attempt. ``work`` is a scratch folder that goes with the process."""

    settings: Settings
    sessions: sessionmaker[Session]
    artifacts: ArtifactStore
    job: Job
    reporter: JobReporter
    work: Path
    number: int

    @property
    def run(self) -> Run:
        """The job's run.

        Raises:
            JobBroken: the job has none.
        """
        if self.job.run is None:
            raise JobBroken(f"job {self.job.id} of kind {self.job.kind} has no run")
        return self.job.run

    @property
    def accumulation(self) -> int:
        """Parts that a batch is cut into, to begin with."""
        return int(self.job.payload.get("accumulation", 1))

    @property
    def limits(self) -> Limits:
        """What is decoded at most: the same at import and in training."""
        return Limits(
            max_bytes=self.settings.max_image_bytes,
            max_pixels=self.settings.max_image_pixels,
            max_memory=self.settings.decode_bytes,
            max_seconds=self.settings.decode_seconds,
        )

    def write(self, write: Callable[[Session], object]) -> None:
        """Do ``write`` in one transaction, again where the database is away for a moment."""
        self.read(write)

    def read(self, look: Callable[[Session], Result]) -> Result:
        """What ``look`` finds in one transaction, waiting out an outage: nothing is asked of the database otherwise."""

        def once() -> Result:
            with self.sessions.begin() as session:
                return look(session)

        return patiently(once, seconds=OUTAGE_SECONDS, what=f"job {self.job.id}")

    def stored(self, action: Callable[[ArtifactStore], Result]) -> Result:
        """What ``action`` does with the artifact store, waiting out an outage: for what the job cannot do without.

        Raises:
            Stopped: the store is away, and the work is to be put down or is not ours any more.
        """
        tries = 0

        def once() -> Result:
            nonlocal tries
            tries += 1
            if tries > 1 and self.reporter.should_stop():
                raise Stopped
            return action(self.artifacts)

        return patiently(once, seconds=OUTAGE_SECONDS, what=f"job {self.job.id}", server=STORE)

    def succeed(self, session: Session, **found: object) -> None:
        """Speak the verdict, in the transaction that writes what came of the job.

        Args:
            session: of that transaction.
            found: what is to stand in the job's payload from now on.

        Raises:
            Stopped: the job is not this attempt's any more; nothing may be written.
        """
        payload = {**self.job.payload, **found}
        if change_state(session, self.job.id, State.SUCCEEDED, attempt=self.number, payload=payload) is None:
            raise Stopped

    def fail(self, session: Session, error: dict[str, str | None]) -> None:
        """The other verdict, {"code", "detail", "hint"}, for what came of the job all the same.

        Raises:
            Stopped: as :meth:`succeed`.
        """
        if change_state(session, self.job.id, State.FAILED, attempt=self.number, error=error) is None:
            raise Stopped

    def dataset(self, dataset_id: int | None = None) -> tuple[Manifest, ImageSource]:
        """A dataset, the run's own by default: read where the store is this host's, else fetched into the cache.

        Raises:
            JobBroken: there is no such dataset.
        """
        chosen = self.run.dataset if dataset_id is None else self._read_dataset(dataset_id)
        manifest = self.manifest(chosen)
        local = self.artifacts.open_local(bundle_key(chosen.revision))
        if local is not None:
            return manifest, Bundle(local, manifest)
        copy = bundle_copy(self.settings.cache, chosen.revision)
        return manifest, FetchedBundle(copy, lambda: self._fetch_bundle(chosen.revision, copy), manifest)

    def added_dataset(self, added: AddedBreeds) -> Dataset:
        """The dataset of breeds that were added.

        Raises:
            JobBroken: it is not there.
        """
        found = self.read(lambda session: dataset_of_revision(session, added.dataset, added.revision))
        if found is None:
            raise JobBroken(
                f"dataset {added.dataset!r}, whose breeds were added, is not there in revision {added.revision}"
            )
        return found

    def manifest(self, chosen: Dataset) -> Manifest:
        """A dataset's items.

        Two names may share a revision, hence its files; the manifest gets the name of the dataset that was chosen.
        """
        content = self.stored(lambda artifacts: artifacts.get_bytes(manifest_key(chosen.revision)))
        stored = Manifest.model_validate_json(content)
        return stored.model_copy(update={"name": chosen.name, "drawn": chosen.drawn})

    def fetch_model(self, run_id: int) -> Path:
        """A finished run's ``model.safetensors`` in a folder of the work folder."""
        model = self.read(lambda session: get_artifact(session, run_id, MODEL))
        path = self.work / f"run-{run_id}" / model.name
        return self.fetch(model.key, path, expected_sha256=model.sha256)

    def fetch(self, key: str, into: Path, *, expected_sha256: str | None = None) -> Path:
        """A copy of an artifact, as ``store.artifacts.ArtifactStore.fetch`` makes it, with its progress told."""
        tell = self.tell_bytes("fetch", stoppable=True)
        return self.stored(lambda artifacts: artifacts.fetch(key, into, expected_sha256=expected_sha256, on_bytes=tell))

    def put(self, key: str, path: Path) -> StoredFile:
        """Store a file, as ``store.artifacts.ArtifactStore.put_file`` does, with its progress told."""
        tell = self.tell_bytes("store", stoppable=False)
        return self.stored(lambda artifacts: artifacts.put_file(key, path, on_bytes=tell))

    def fetch_upload(self, key: str, name: str) -> Path:
        """An uploaded archive, read where the store is this host's.

        Raises:
            ArchiveRejected: it is gone.
        """
        try:
            local = self.artifacts.open_local(key)
            return local or self.fetch(key, self.work / name)
        except ArtifactMissing as error:
            days = self.settings.upload_days
            detail = f"the uploaded archive is gone: it is kept until a job has used it, and for {days:g} days at most"
            raise ArchiveRejected(detail, hint="Upload the archive again.") from error

    def store_files(self, files: dict[str, Path]) -> list[tuple[str, str, str, int]]:
        """Upload outputs; returns name, key, sha256 and bytes of each, for the record.

        The keys are this attempt's own: what the record names stays as it is until the record names another.
        """
        stored = []
        for name, path in files.items():
            key = output_key(self.run.id, self.job.id, self.number, name)
            done = self.put(key, path)
            stored.append((name, done.key, done.sha256, done.bytes))
        return stored

    def key_of(self, name: str) -> str | None:
        """Where the run's file of a name lies now, None where there is none yet."""
        found = self.read(lambda session: session.get(Artifact, (self.run.id, name)))
        return None if found is None else found.key

    def drop(self, key: str) -> None:
        """Delete what nobody needs any more, after the verdict.

        Where the store is away, or a backup goes on, `repair` does it later.
        """

        def delete() -> bool:
            return delete_unheld(self.artifacts, self.sessions, [key])

        try:
            patiently(delete, seconds=OUTAGE_SECONDS, what=f"job {self.job.id}")
        except ServiceUnavailable as error:
            log.warning("job %d: %s stays for the repair process to delete: %s", self.job.id, key, error.detail)

    def tell_bytes(self, stage: str, *, stoppable: bool) -> Callable[[int, int], None]:
        """Progress of a copy, in MiB; one that is ``stoppable`` ends with ``Stopped`` where the attempt must stop."""

        def tell(done: int, total: int) -> None:
            self.reporter.on_progress(Progress(stage=stage, step=done // MIB, steps=total // MIB))
            if stoppable and self.reporter.should_stop():
                raise Stopped

        return tell

    def record_reading(self, session: Session, reading: Reading, dataset_id: int | None = None) -> None:
        """Write what the predictions on a dataset, the run's own by default, say into the record."""
        about = self.run.dataset_id if dataset_id is None else dataset_id
        record_reading(session, self.run.id, reading, dataset_id=about, job_id=self.job.id)

    def record_files(self, session: Session, stored: list[tuple[str, str, str, int]]) -> None:
        for name, key, sha256, size in stored:
            record_artifact(session, self.run.id, name, key=key, sha256=sha256, size=size)

    def _fetch_bundle(self, revision: str, copy: Path) -> Path:
        key = bundle_key(revision)
        self.reporter.on_progress(Progress(stage="fetch"))
        if not copy.exists():
            size = self.stored(lambda artifacts: artifacts.size_of(key))
            make_room(self.settings.cache, size, self.settings.cache_bytes)
        self.fetch(key, copy)
        note_opened(copy)
        return copy

    def _read_dataset(self, dataset_id: int) -> Dataset:
        found = self.read(lambda session: session.get(Dataset, dataset_id))
        if found is None:
            raise JobBroken(f"job {self.job.id} is about dataset {dataset_id}, which is not there")
        return found
