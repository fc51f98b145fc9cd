"""What the service calls its own files below the cache folder, and how they are told from somebody's own."""

import re
from pathlib import Path

from store.keys import JUDGEMENT, TO_SERVE

_HASH = r"[0-9a-f]{64}"
_MADE = r"[a-z0-9_]{8}"
"""What the system makes of a folder that is to have a new name."""
_ID = r"[0-9a-f]{32}"

_MODELS = "models"
_RUNS = "runs"
_UPLOADS = "uploads"
_EXPORTS = "exports"

UPLOAD = "upload-"
"""How the file begins in which an upload arrives."""
RESUMABLE = "tus-"
"""How the folder begins of an upload that is taken up again after a break."""
EXPORT_WORK = "work-"
"""How the folder begins in which an export is made."""

COPIES = {
    f"{_MODELS}/*": rf"{_MODELS}/{_HASH}/(?:{'|'.join(map(re.escape, (*TO_SERVE, JUDGEMENT)))})",
    f"{_RUNS}/*": rf"{_RUNS}/\d{{1,9}}/{_HASH}\.jsonl",
}
"""Folders, and the paths in them of files that are fetched."""
BEGUN = {
    f"{_UPLOADS}/{UPLOAD}*": rf"{_UPLOADS}/{UPLOAD}{_MADE}",
    f"{_UPLOADS}/{RESUMABLE}*": rf"{_UPLOADS}/{RESUMABLE}{_ID}",
    f"{_EXPORTS}/{EXPORT_WORK}*": rf"{_EXPORTS}/{EXPORT_WORK}{_MADE}",
}
"""What is there for a while only: where to look, and its paths."""

_RESUMABLE = re.compile(rf"{RESUMABLE}{_ID}")
_EXPORT = re.compile(rf"{_HASH}-({_HASH})\.zip")
_WORK = re.compile(r"job-(\d{1,9})-(\d{1,9})")


def uploads_folder(cache: Path) -> Path:
    """Where uploads arrive."""
    return cache / _UPLOADS


def resumable_folder(uploads: Path, upload_id: str) -> Path:
    """An upload's folder, by its id; whether that is one, :func:`is_resumable` says."""
    return uploads / f"{RESUMABLE}{upload_id}"


def is_resumable(folder: Path) -> bool:
    """Whether a folder is named as that of an upload is."""
    return _RESUMABLE.fullmatch(folder.name) is not None


def resumable_folders(uploads: Path) -> list[Path]:
    """The folders of the uploads that are there."""
    return [folder for folder in uploads.glob(f"{RESUMABLE}*") if is_resumable(folder)]


def model_copy(cache: Path, sha256: str) -> Path:
    """A model's files, by the hash of its weights."""
    return cache / _MODELS / sha256


def predictions_copy(cache: Path, run_id: int, sha256: str) -> Path:
    """A run's stored predictions, by their hash."""
    return cache / _RUNS / str(run_id) / f"{sha256}.jsonl"


def exports_folder(cache: Path) -> Path:
    """Where exports of models are kept and made."""
    return cache / _EXPORTS


def export_copy(cache: Path, key: str, sha256: str) -> Path:
    """An export's archive, by what it is of and by its own hash."""
    return exports_folder(cache) / f"{key}-{sha256}.zip"


def export_copies(cache: Path) -> list[Path]:
    """The archives of all exports."""
    return [path for path in exports_folder(cache).glob("*.zip") if _EXPORT.fullmatch(path.name)]


def kept_export(cache: Path, key: str) -> Path | None:
    """The archive of one, where it is there."""
    return next(iter(exports_folder(cache).glob(f"{key}-*.zip")), None)


def export_sha256(archive: Path) -> str:
    """The hash that an archive's name tells."""
    named = _EXPORT.fullmatch(archive.name)
    assert named is not None  # noqa: S101 - only such a name is given to one
    return named[1]


def work_folder(scratch: Path, job_id: int, attempt: int) -> Path:
    """An attempt's folder; it goes with the attempt."""
    return scratch / f"job-{job_id}-{attempt}"


def work_folders(scratch: Path) -> list[tuple[Path, int, int]]:
    """The folders of attempts that are there, each with its job and attempt."""
    named = ((folder, _WORK.fullmatch(folder.name)) for folder in sorted(scratch.glob("job-*-*")))
    return [(folder, int(name[1]), int(name[2])) for folder, name in named if name is not None]
