"""How a job's pictures are answered: by the way that was chosen for the version on machines like this one."""

import logging
from pathlib import Path

from ml.serve.choice import recorded_choice
from ml.serve.classifier import Classifier
from ml.serve.machine import machine_kind
from ml.serve.starting import start
from ml.serve.way import Way
from store.db.choices import choice_on
from worker.attempt import Attempt

log = logging.getLogger(__name__)


def load_as_chosen(attempt: Attempt, folder: Path, version: int) -> Classifier:
    """The version's model, run as the API runs it on such a machine; in the exact way where nothing was chosen for it.

    A choice is measured by an API alone, so that a worker on a machine of another kind answers in the exact way.

    Raises:
        CheckpointInvalid: a file of the model is missing or broken.
        DeviceUnavailable: the device is not there.
    """
    device, way = attempt.settings.device, _chosen(attempt, version)

    def failed(error: Exception) -> None:
        log.warning("the way %s does not run here, the exact one is used: %s", way, error)
        why = next(iter(str(error).splitlines()), type(error).__name__)
        attempt.reporter.on_log(f"the way that was chosen does not run here, the exact one is used: {why}")

    return start(lambda way: Classifier.load(folder, device, way), way, failed)


def _chosen(attempt: Attempt, version: int) -> Way | None:
    machine = machine_kind(attempt.settings.device)
    record = attempt.read(lambda session: choice_on(session, version, machine))
    choice = None if record is None else recorded_choice(version, record.content)
    return None if choice is None else choice.way
