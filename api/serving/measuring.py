"""The measurement of one version on this machine: the run's own photos, the model's files, a process of its own."""

from pathlib import Path
from subprocess import Popen

from sqlalchemy.orm import Session, sessionmaker

from api.serving.model_files import model_folder
from api.serving.validation_photos import ReadPhoto, validation_samples
from ml.decode.images import Limits
from ml.serve.choice import Choice
from ml.serve.choosing import choose_apart
from store.artifacts import ArtifactStore

SECONDS = 180.0
"""The most that a measurement takes: it gives way to predictions, so that under load it takes its time."""


class Measuring:
    """Measures one version at a time."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        artifacts: ArtifactStore,
        read_photo: ReadPhoto,
        *,
        cache: Path,
        limits: Limits,
        device: str,
    ) -> None:
        self._sessions, self._artifacts, self._read_photo = sessions, artifacts, read_photo
        self._cache, self._limits, self._device = cache, limits, device
        self._process: Popen[bytes] | None = None
        self._stopped = False

    def __call__(self, run: int) -> Choice:
        """The choice for the run's model.

        Raises:
            NothingToCheckBy: there are no photos to hold a quicker way to.
            ChoosingFailed: the process made none.
            NotReady, ArtifactMissing, ServiceUnavailable: of the model's files.
        """
        samples = validation_samples(self._sessions, self._artifacts, self._read_photo, run)
        folder = model_folder(self._sessions, self._artifacts, self._cache, run)
        return choose_apart(folder, samples, self._limits, self._device, seconds=SECONDS, started=self._take_note)

    def stop(self) -> None:
        """End the measurement under way, and let none begin."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def _take_note(self, process: Popen[bytes]) -> None:
        self._process = process
        if self._stopped:
            process.kill()
