"""Where things lie below ARTIFACTS_URL. Content that cannot change lies under its hash."""

from uuid import uuid4

UPLOADS = "uploads/"
CHECKPOINT = "checkpoint.safetensors"


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


def checkpoint_key(run_id: int) -> str:
    """A run's last checkpoint; gone when the run has succeeded."""
    return run_key(run_id, CHECKPOINT)
