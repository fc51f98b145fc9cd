"""Where things lie below ARTIFACTS_URL. Content that cannot change lies under its hash."""

from uuid import uuid4

UPLOADS = "uploads/"
CHECKPOINT = "checkpoint.safetensors"
MODEL = "model.safetensors"


def manifest_key(revision: str) -> str:
    """A dataset revision's list of items."""
    return f"datasets/{revision}/manifest.json"


def bundle_key(revision: str) -> str:
    """A dataset revision's pictures, one uncompressed tar."""
    return f"datasets/{revision}/images.tar"


def new_upload_key() -> str:
    """A key for an archive that waits for its import; never handed out twice."""
    return f"{UPLOADS}{uuid4()}"


def run_key(run_id: int, name: str) -> str:
    """A file of a run."""
    return f"runs/{run_id}/{name}"


def predictions_name(dataset_id: int, own_dataset_id: int) -> str:
    """The name of a run's stored predictions on a dataset; those on its own validation pictures have the plain one."""
    return "predictions.jsonl" if dataset_id == own_dataset_id else f"predictions-{dataset_id}.jsonl"


def checkpoint_key(run_id: int) -> str:
    """A run's last checkpoint; gone when the run has succeeded."""
    return run_key(run_id, CHECKPOINT)
