"""What the work of one attempt of a job is given, and what every kind of job does with the artifact store."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from ml.bundle import Bundle
from ml.interpretation import Reading
from ml.manifest import Manifest
from ml.training import Places
from store.artifacts import ArtifactStore
from store.db.models import Job, Run
from store.db.records import record_artifact, record_interpretation
from store.errors import AppError
from store.keys import bundle_key, manifest_key, run_key
from store.settings import Settings
from worker.reporter import JobReporter


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
    def places(self) -> Places:
        """The folders that learning works in."""
        return Places(cache=self.settings.cache, weights=self.settings.weights, work=self.work)

    def dataset(self) -> tuple[Manifest, Bundle]:
        """The run's dataset: read where the store is this host's, fetched into the cache where it is not."""
        revision = self.run.dataset.revision
        manifest = Manifest.model_validate_json(self.artifacts.get_bytes(manifest_key(revision)))
        key = bundle_key(revision)
        local = self.artifacts.open_local(key)
        if local is None:
            local = self.artifacts.fetch(key, self.settings.cache / "datasets" / revision / "images.tar")
        return manifest, Bundle(local, manifest)

    def fetch_model(self, run_id: int) -> Path:
        """A finished run's ``model.safetensors`` in a folder of the work folder."""
        path = self.work / f"run-{run_id}" / "model.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        return self.artifacts.fetch(run_key(run_id, path.name), path)

    def store_files(self, files: dict[str, Path]) -> list[tuple[str, str, str, int]]:
        """Upload outputs; returns name, key, sha256 and bytes of each, for the record."""
        stored = []
        for name, path in files.items():
            done = self.artifacts.put_file(run_key(self.run.id, name), path)
            stored.append((name, done.key, done.sha256, done.bytes))
        return stored

    def record_reading(self, session: Session, reading: Reading) -> None:
        """Write what the validation predictions say into the record."""
        record_interpretation(session, self.run.id, job_id=self.job.id, **vars(reading))

    def record_files(self, session: Session, stored: list[tuple[str, str, str, int]]) -> None:
        """Write the uploads into the record."""
        for name, key, sha256, size in stored:
            record_artifact(session, self.run.id, name, key=key, sha256=sha256, size=size)
