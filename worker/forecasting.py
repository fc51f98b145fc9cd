"""A forecast job: a few steps of its kind of model are timed here; how long the whole would take, the API works out."""

from sqlalchemy.orm import Session

from ml.config import config_of_job
from ml.reporting import Progress
from ml.throughput import measure_throughput
from store.db.lanes import job_beside
from store.db.paces import Machine, ModelKey, record_throughput
from store.errors import AppError
from worker.attempt import Attempt


class DeviceBusy(AppError):
    """Steps that are timed beside another job's would be too slow."""

    code = "device_busy"
    title = "Device busy"


def measure_for_forecast(attempt: Attempt) -> None:
    """Time the steps of the job's config, and put them and the machine on record.

    Raises:
        DeviceBusy: another worker of this host has a job in hand.
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    _check_alone(attempt)
    config = config_of_job(attempt.job.payload["config"])
    attempt.reporter.on_progress(Progress(stage="measure", in_batches=True))
    measured = measure_throughput(
        config, attempt.settings.device, reporter=attempt.reporter, accumulation=attempt.accumulation
    )
    # One that began meanwhile made these steps slow.
    _check_alone(attempt)
    key = ModelKey(config.arch, config.presize, config.size, config.batch_size)
    machine = Machine(measured.device, measured.precision)

    def write(session: Session) -> None:
        for kind in measured.kinds:
            record_throughput(
                session,
                key,
                machine,
                precision_asked=config.precision,
                freeze=kind.freeze,
                images_per_second=kind.images_per_second,
                valid_images_per_second=kind.valid_images_per_second,
                step_images_per_second=kind.step_images_per_second,
                step_pictures=kind.step_pictures,
                accumulation=kind.accumulation,
                peak_memory_bytes=kind.peak_memory_bytes,
            )
        attempt.succeed(session, device=machine.device, precision=machine.precision)

    attempt.write(write)


def _check_alone(attempt: Attempt) -> None:
    beside = attempt.read(lambda session: job_beside(session, attempt.job))
    if beside is not None:
        detail = f"steps cannot be timed while job {beside.id} ({beside.kind}) is at work on the same host"
        raise DeviceBusy(detail, f"Resume this job when job {beside.id} has ended.")
