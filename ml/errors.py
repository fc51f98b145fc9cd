"""What can go wrong while learning, each with a stable code, a sentence and the one thing to change."""

LEAST_BATCH = 2
"""Batch normalization has no statistics of a single picture."""


class LearningError(Exception):
    """A failure that a user can act on.

    Attributes:
        code: stable, snake_case, part of the HTTP contract.
        detail: what went wrong and which value, one sentence.
        hint: the one thing to change, or None where nothing helps.
    """

    code = "learning_failed"

    def __init__(self, detail: str, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


class WeightsMissing(LearningError):
    """Pretrained weights were asked for and none were found."""

    code = "weights_missing"


class WeightsInvalid(LearningError):
    """A weights file exists but cannot be used for the architecture."""

    code = "weights_invalid"


class UnknownArch(LearningError):
    """The architecture's name is not one of the supported families."""

    code = "unknown_arch"


class DatasetUnusable(LearningError):
    """The folder or archive holds nothing that can be trained on."""

    code = "dataset_unusable"


class ArchiveRejected(LearningError):
    """The archive is broken, hostile or too large."""

    code = "archive_rejected"


class DiskFull(LearningError):
    """The disk cannot hold what the work needs."""

    code = "disk_full"


class DownloadFailed(LearningError):
    """A published file could not be fetched or does not have its checksum."""

    code = "download_failed"


class ImageRejected(LearningError):
    """Bytes that are not a picture we accept; ``code`` says why.

    Codes: ``not_an_image``, ``truncated``, ``too_many_pixels``, ``too_small``, ``too_many_bytes``,
    ``unsupported_pixels``, ``picture_too_costly``.
    """

    def __init__(self, code: str, detail: str, hint: str | None = None) -> None:
        super().__init__(detail, hint)
        self.code = code

    def __reduce__(self) -> tuple[type["ImageRejected"], tuple[str, str, str | None]]:
        """So that it comes whole from another process."""
        return type(self), (self.code, self.detail, self.hint)


class SplitUnusable(LearningError):
    """The split leaves nothing to train on or validates a breed that was never seen."""

    code = "split_unusable"


class BatchTooLarge(LearningError):
    """Fewer training images than one batch."""

    code = "batch_too_large"


def batch_hint(train: int) -> str:
    """What to change where ``train`` training images are fewer than one batch; one of fewer than two is none."""
    if train < LEAST_BATCH:
        return "Lower valid_pct, or add photos."
    return f"Set batch_size to {train} or less."


class LossDiverged(LearningError):
    """The training loss became NaN or infinite."""

    code = "loss_diverged"


class NoRateFound(LearningError):
    """The search for a learning rate has no answer, and the config leaves the rate to it."""

    code = "no_rate_found"


class SweepTooShort(LearningError):
    """There are too few batches or steps for the suggestions to see anything."""

    code = "sweep_too_short"


class PrecisionUnsupported(LearningError):
    """The asked precision does not run on this device."""

    code = "precision_unsupported"


class DeviceUnavailable(LearningError):
    """The asked device is not on this machine."""

    code = "device_unavailable"


class ProcessLost(LearningError):
    """One of the processes that train together ended, or could not be reached: nothing that the config brings.

    ``killed``: by a SIGKILL, which may be the kernel's for want of memory.
    """

    code = "process_lost"

    def __init__(self, detail: str, hint: str | None = None, *, killed: bool = False) -> None:
        super().__init__(detail, hint)
        self.killed = killed


class OutOfMemory(LearningError):
    """The device's memory does not hold a step, or the machine's no process that decodes."""

    code = "out_of_memory"


class CheckpointInvalid(LearningError):
    """A checkpoint or model file cannot be read, or is of another format version."""

    code = "checkpoint_invalid"


class ExportRefused(LearningError):
    """A model cannot be written in the asked format."""

    code = "export_refused"


class TorchMismatch(LearningError):
    """torch and torchvision are builds that do not fit each other."""

    code = "torch_mismatch"


class Stopped(Exception):
    """The reporter asked the loop to stop; not a failure."""
