"""A registered version for use elsewhere: one zip with the model, a manifest and a script."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path as Folder
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse

from api.dependencies import Services, ServicesDep
from api.schemas.exports import ExportProgress
from api.schemas.fields import ModelName
from api.schemas.problem import problems
from api.serving.exports import ExportOrder
from api.serving.model_files import model_folder
from ml.config import ResolvedConfig
from ml.data.split import choose_split
from ml.errors import LearningError
from ml.serve.export.forms import Form
from store.cache_names import export_sha256
from store.db.models import ModelVersion
from store.db.reading import files_to_serve
from store.db.registry import resolve_model
from store.errors import AppError

router = APIRouter(prefix="/models", tags=["models"])

ZIP = "application/zip"
CHECKED_ON = 8
"""Validation photos that an export is checked on, where the dataset is still there."""
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The archive's bytes; with a header Range, a part of them is 206",
        "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "ETag": {"description": "the sha256 of the archive, hex, in quotes", "schema": {"type": "string"}},
            "Content-Disposition": {"description": "a file name with version and format", "schema": {"type": "string"}},
        },
    },
    202: {"model": ExportProgress, "description": "It is being made, and the request said Prefer: respond-async"},
    **problems(404, 422, 429, 503),
}

Name = Annotated[ModelName, Path(description="alias or version")]


@router.get("/{name}/export", response_class=FileResponse, responses=ANSWERS)
async def export_a_model(
    name: Name,
    services: ServicesDep,
    form: Annotated[Form, Query(alias="format", description="what reads it")],
    prefer: Annotated[str | None, Header(description="respond-async: do not wait for one that is not made yet")] = None,
) -> Response:
    """The model in a format, with what it needs to know of a picture, its hashes, and a script that uses it.

    It is made when it is asked for first, which takes from seconds to minutes, and checked: its probabilities are the
    model's own within 0.001, else it is refused.
    """
    wanted = await run_in_threadpool(_wanted, services, name, form)
    archive = await run_in_threadpool(services.exports.kept, wanted)
    if archive is None:
        making = services.exports.make(wanted)
        if "respond-async" in (prefer or "") and not making.archive.done():
            progress = ExportProgress(stage=making.stage, seconds=round(making.seconds, 1))
            return JSONResponse(progress.model_dump(), 202, headers={"Retry-After": "1"})
        # Who leaves takes the export from nobody else.
        try:
            archive = await asyncio.shield(asyncio.wrap_future(making.archive))
        except (AppError, LearningError):
            services.exports.forget(wanted, making)
            raise
    with suppress(OSError):
        # Asked for now, and made when it was: the age is what the answer tells.
        os.utime(archive, (time.time(), archive.stat().st_mtime))
    headers = {"ETag": f'"{export_sha256(archive)}"', "Cache-Control": "private, no-cache"}
    named = f"model-{wanted.version}-{wanted.form}.zip"
    return FileResponse(archive, media_type=ZIP, filename=named, headers=headers)


def _wanted(services: Services, name: str, form: Form) -> ExportOrder:
    with services.sessions.begin() as session:
        version = resolve_model(session, name)
        files = files_to_serve(session, version.run_id)

    def model() -> Folder:
        settings = services.settings
        return model_folder(services.sessions, services.artifacts, settings.cache, version.run_id)

    hashes = tuple(file.sha256 for file in files)
    return ExportOrder(version.id, version.run_id, form, hashes, model, lambda: _photos(services, version))


def _photos(services: Services, version: ModelVersion) -> Sequence[bytes]:
    """Some that the model was validated on, spread over the validation side; none where they are gone."""
    dataset, config = version.run.dataset, ResolvedConfig.model_validate(version.run.config)
    try:
        bundle = services.photos.bundle(dataset.revision)
        valid = sorted(choose_split(bundle.manifest, config).valid)
        return [bundle.read(item) for item in valid[:: max(1, len(valid) // CHECKED_ON)][:CHECKED_ON]]
    except AppError:
        return []
