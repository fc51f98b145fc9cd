"""Copies of a run's files in this host's cache folder, and what was made of them there."""

import shutil
from pathlib import Path
from typing import get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.serving.exports import export_key
from ml.serve.export.forms import Form
from store.cache_names import kept_export, model_copy, predictions_copy
from store.db.models import DeletedRun, ModelVersion
from store.db.reading import files_to_serve


def exports_of(session: Session, run_id: int) -> list[str]:
    """The keys that the exports of a run's version are kept by; none where it is not registered."""
    version = session.scalar(select(ModelVersion.id).where(ModelVersion.run_id == run_id))
    if version is None:
        return []
    hashes = [file.sha256 for file in files_to_serve(session, run_id)]
    return [export_key(version, run_id, form, hashes) for form in get_args(Form)]


def delete_copies(cache: Path, gone: DeletedRun, exports: list[str]) -> None:
    """Delete them. They lie by their content: who still needs one fetches it again."""
    for sha256 in [one["sha256"] for one in gone.files if one["sha256"] is not None]:
        shutil.rmtree(model_copy(cache, sha256), ignore_errors=True)
        predictions_copy(cache, gone.id, sha256).unlink(missing_ok=True)
    for archive in filter(None, (kept_export(cache, key) for key in exports)):
        archive.unlink(missing_ok=True)
