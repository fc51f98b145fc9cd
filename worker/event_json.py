"""What learning reports, as the JSON of a job's events: its names are the contract's, so each is written out."""

from typing import TypedDict

from ml.reporting import EpochRecord, Plan, Progress
from store.db.base import Json


class EpochJson(TypedDict):
    """An epoch's row, as ``store.db.records.record_epoch`` takes it too."""

    phase: int
    epoch: int
    train_loss: float
    valid_loss: float
    error_rate: float
    seconds: float
    images_per_second: float
    peak_memory_bytes: int | None


def epoch_json(epoch: EpochRecord) -> EpochJson:
    """An ``epoch`` event's data."""
    return {
        "phase": epoch.phase,
        "epoch": epoch.epoch,
        "train_loss": epoch.train_loss,
        "valid_loss": epoch.valid_loss,
        "error_rate": epoch.error_rate,
        "seconds": epoch.seconds,
        "images_per_second": epoch.images_per_second,
        "peak_memory_bytes": epoch.peak_memory_bytes,
    }


def progress_json(progress: Progress) -> Json:
    """A ``progress`` event's data, and the job's own ``progress``."""
    return {
        "stage": progress.stage,
        "in_batches": progress.in_batches,
        "phase": progress.phase,
        "epoch": progress.epoch,
        "epochs": progress.epochs,
        "step": progress.step,
        "steps": progress.steps,
        "eta_seconds": progress.eta_seconds,
        "stage_eta_seconds": progress.stage_eta_seconds,
        "images_per_second": progress.images_per_second,
    }


def plan_json(plan: Plan) -> Json:
    """What a run keeps of its plan."""
    return {
        "train_items": plan.train_items,
        "valid_items": plan.valid_items,
        "steps": plan.steps,
        "resumed_from_step": plan.resumed_from_step,
        "accumulation": plan.accumulation,
        "halved_from_step": plan.halved_from_step,
    }


def whole_plan_json(plan: Plan) -> Json:
    """The same with where and in what it runs: of the ``log`` event that begins a run."""
    return {
        "device": plan.device,
        "precision": plan.precision,
        "precision_reason": plan.precision_reason,
        "weights_file": plan.weights_file,
        "weights_sha256": plan.weights_sha256,
        "versions": plan.versions,
        **plan_json(plan),
    }
