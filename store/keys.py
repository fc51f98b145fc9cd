"""Where things lie below ARTIFACTS_URL. Content that cannot change lies under its hash."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from uuid import uuid4

UPLOADS = "uploads/"
PHOTOS = "photos/"
RUNS = "runs/"
DATASETS = "datasets/"
OLD_CHECKPOINT = "checkpoint.safetensors"
"""What versions that kept one checkpoint, without a checksum, called it."""
MODEL = "model.safetensors"
DESCRIPTION = "model.json"
PREDICTIONS = "predictions.jsonl"
"""A run's own, on its validation photos."""
JUDGEMENT = "judgement.safetensors"
"""For judging its answers; runs of before there were any have none."""
FEATURES = "features.safetensors"
"""What its network made of its photos, so that breeds can be added at once; runs of before there was that have none."""
TO_SERVE = (MODEL, DESCRIPTION)
"""The files that a model cannot be served without."""
ANSWERS = "jobs/"
ANSWERS_CSV: Final = "predictions.csv"
ANSWERS_LINES: Final = "predictions.jsonl"
AnswersName = Literal["predictions.csv", "predictions.jsonl"]
"""What a predict job leaves."""
LEFT_BY_TRAINING = (MODEL, DESCRIPTION, PREDICTIONS)
"""The files that every training leaves that has succeeded."""

_RUN_FILE = re.compile(
    rf"{RUNS}(\d{{1,9}})/(?:(\d{{1,9}})-(\d{{1,9}})/[^/]+|checkpoint(?:-\d{{1,9}}-\d{{1,12}})?\.safetensors)"
)
_UPLOAD = re.compile(rf"{UPLOADS}[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
_PHOTO = re.compile(rf"{PHOTOS}[0-9a-f]{{2}}/([0-9a-f]{{64}})")
_ANSWERS_FILE = re.compile(
    rf"{ANSWERS}(\d{{1,9}})-\d{{1,9}}/(?:{re.escape(ANSWERS_CSV)}|{re.escape(ANSWERS_LINES)}|part-\d{{1,9}}\.jsonl)"
)
_DATASET_FILE = re.compile(rf"{DATASETS}([0-9a-f]{{64}})/(?:manifest\.json|images\.tar)")


@dataclass(frozen=True)
class RunFile:
    """What a key says of a run's file: whose it is; ``job_id`` is None for a checkpoint."""

    key: str
    run_id: int
    job_id: int | None
    attempt: int


def manifest_key(revision: str) -> str:
    """A dataset revision's list of items."""
    return f"{DATASETS}{revision}/manifest.json"


def bundle_key(revision: str) -> str:
    """A dataset revision's pictures, one uncompressed tar."""
    return f"{DATASETS}{revision}/images.tar"


def revision_of_key(key: str) -> str | None:
    """The revision whose file lies there; None where the key is of no such file."""
    named = _DATASET_FILE.fullmatch(key)
    return None if named is None else named[1]


def new_upload_key() -> str:
    """A key for an archive that waits for its import; never handed out twice."""
    return f"{UPLOADS}{uuid4()}"


def is_upload(key: str) -> bool:
    """Whether the key is one that :func:`new_upload_key` made; others may keep files below ``UPLOADS`` too."""
    return _UPLOAD.fullmatch(key) is not None


def is_ours(key: str) -> bool:
    """Whether the key is one that is made here; what else lies below ARTIFACTS_URL is somebody's own."""
    return any(made.fullmatch(key) for made in (_ANSWERS_FILE, _DATASET_FILE, _PHOTO, _RUN_FILE, _UPLOAD))


def photo_key(sha256: str) -> str:
    """A photo that was kept with a prediction, by its content."""
    return f"{PHOTOS}{sha256[:2]}/{sha256}"


def photo_of_key(key: str) -> str | None:
    """The sha256 of the photo that lies there; None where the key is none of :func:`photo_key`."""
    named = _PHOTO.fullmatch(key)
    return None if named is None else named[1]


def run_key(run_id: int, name: str) -> str:
    """A file of a run."""
    return f"{RUNS}{run_id}/{name}"


def output_key(run_id: int, job_id: int, attempt: int, name: str) -> str:
    """A file that an attempt of a run's job leaves."""
    return run_key(run_id, f"{job_id}-{attempt}/{name}")


def answers_key(job_id: int, attempt: int, name: str) -> str:
    """A file that an attempt of a predict job leaves."""
    return f"{ANSWERS}{job_id}-{attempt}/{name}"


def answers_part_key(job_id: int, attempt: int, number: int) -> str:
    """A part of the answers of a predict job that has not ended, for the next attempt."""
    return answers_key(job_id, attempt, f"part-{number}.jsonl")


def job_of_answers(key: str) -> int | None:
    """The predict job that left the file; None where the key is of no such file."""
    named = _ANSWERS_FILE.fullmatch(key)
    return None if named is None else int(named[1])


def read_run_file(key: str) -> RunFile | None:
    """What a key below ``RUNS`` says, None where it is of no kind that is made now."""
    named = _RUN_FILE.fullmatch(key)
    if named is None:
        return None
    run, job, attempt = named.groups()
    return RunFile(key, int(run), None if job is None else int(job), int(attempt or 0))


def predictions_name(dataset_id: int, own_dataset_id: int) -> str:
    """The name of a run's stored predictions on a dataset; those on its own validation photos have the plain one."""
    return PREDICTIONS if dataset_id == own_dataset_id else f"predictions-{dataset_id}.jsonl"


def checkpoint_key(run_id: int, attempt: int, step: int) -> str:
    """A run's checkpoint after so many steps; gone when the run has succeeded.

    What the record names is never overwritten: an attempt that went another way from the same step has its own.
    """
    return run_key(run_id, f"checkpoint-{attempt}-{step}.safetensors")


def old_checkpoint_key(run_id: int) -> str:
    """Where an earlier version kept a run's one checkpoint."""
    return run_key(run_id, OLD_CHECKPOINT)
