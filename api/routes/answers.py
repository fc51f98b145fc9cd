"""Many pictures at once: an archive to be predicted, and the files that a predict job leaves."""

from pathlib import Path as Folder
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.datasets.allowed_bytes import check_bytes
from api.datasets.kept_uploads import keep_uploads
from api.datasets.resumable import check_whole
from api.datasets.uploads import read_form, scratch_file
from api.dependencies import Services, ServicesDep
from api.http.media_types import FORM
from api.jobs.queueing import queue_job
from api.routes.downloads import AS_BYTES
from api.schemas.fields import Id
from api.schemas.jobs import JobOut
from api.schemas.problem import problems
from store.cache_names import uploads_folder
from store.db.audit import who_changes
from store.db.models import Job
from store.db.owned import SENT_BYTES
from store.db.reading import get_job, wait_for
from store.db.registry import DEFAULT_ALIAS, resolve_model
from store.errors import ArtifactMissing, InvalidRequest, NotReady, WrongKind
from store.keys import ANSWERS_CSV, ANSWERS_LINES, AnswersName
from store.states import State, standing

router = APIRouter(prefix="/jobs", tags=["jobs"])

MEDIA_TYPES: dict[AnswersName, str] = {
    ANSWERS_CSV: "text/csv; charset=utf-8",
    ANSWERS_LINES: "application/x-ndjson",
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file's bytes",
        "content": {kind.partition(";")[0]: {"schema": AS_BYTES} for kind in MEDIA_TYPES.values()},
        "headers": {"ETag": {"description": "the sha256 of the file, hex, in quotes", "schema": {"type": "string"}}},
    },
    **problems(404, 409),
}
ARCHIVE_PROBLEMS = problems(400, 404, 409, 413, 415, 423, 429, 507)
ARCHIVE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "archive": {"type": "string", "format": "binary", "description": "zip or tar of photos"},
                        "upload": {
                            "type": "string",
                            "description": "in place of `archive`: the id of an upload that has come whole; it is kept",
                        },
                        "model": {"type": "string", "default": DEFAULT_ALIAS, "description": "alias or version"},
                    },
                }
            }
        },
    }
}


@router.post("/archives", status_code=202, openapi_extra=ARCHIVE_BODY, responses=ARCHIVE_PROBLEMS)
async def predict_an_archive(request: Request, services: ServicesDep, response: Response) -> JobOut:
    """Queue a job that answers for every photo of an archive, as `{"kind": "predict"}` does for a dataset's.

    Of an `upload` the photos can be looked at afterwards and labelled (`GET /jobs/{job_id}/label-next`).
    """
    folder = uploads_folder(services.settings.cache)
    with scratch_file(folder) as archive, scratch_file(folder) as labels:
        form = await read_form(request, archive, labels, max_bytes=services.settings.max_upload_bytes)
        upload = form.fields.get("upload")
        if upload is not None and form.archive_bytes is not None:
            raise InvalidRequest("both archive and upload are given", "Give one of them.", field="body.upload")
        if upload is None and not form.archive_bytes:
            raise InvalidRequest(
                "the form has no part `archive` with content", "Send a zip or a tar of pictures as it."
            )
        odd = sorted(form.fields.keys() - {"model", "upload"})
        if odd or form.labels_bytes is not None:
            what = odd[0] if odd else "labels"
            raise InvalidRequest(f"the form has a part {what[:80]!r}, which is not known here", "Leave it out.")
        model = form.fields.get("model", DEFAULT_ALIAS)
        job = await run_in_threadpool(_queue, services, model, archive, upload)
    response.headers["Location"] = f"{services.settings.root_path}/jobs/{job.id}"
    return job


@router.get("/{job_id}/answers/{name}", response_class=StreamingResponse, responses=ANSWERS)
def get_the_answers(job_id: Annotated[Id, Path()], name: AnswersName, services: ServicesDep) -> StreamingResponse:
    """A predict job's answers, a row for each photo: as CSV for a spreadsheet, or as lines of JSON."""
    with services.sessions.begin() as session:
        file = answers_of(get_job(session, job_id), name)
    held = services.artifacts.size_of(file["key"])
    if held != file["bytes"]:
        detail = f"artifact {file['key']} has {held} bytes, the record says {file['bytes']}"
        raise ArtifactMissing(detail, hint="Restore it from a backup, or make it again.")
    headers = {
        "Content-Length": str(file["bytes"]),
        "Content-Disposition": f'attachment; filename="job-{job_id}-{name}"',
        "ETag": f'"{file["sha256"]}"',
        "Cache-Control": "private, no-cache",
    }
    pieces = services.artifacts.pieces(file["key"], file["bytes"])
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[name], headers=headers)


def _queue(services: Services, model: str, archive: Folder, upload: str | None) -> JobOut:
    with services.sessions.begin() as session:
        version = resolve_model(session, model)
        check_bytes(session, services.settings, services.uploads, who_changes(), _size_of(archive))
    payload: dict[str, Any] = {"version": version.id, "run_id": version.run_id}
    if upload is None:
        payload |= _kept(services, archive)
    else:
        # Nobody ends it or makes a dataset of it meanwhile.
        with services.uploads.writer(upload) as held:
            check_whole(held.upload)
            payload |= {**_kept(services, held.path), "from_upload": upload}
    with services.sessions.begin() as session:
        check_bytes(session, services.settings, services.uploads, who_changes(), payload[SENT_BYTES])
        job = queue_job(session, services.settings, kind="predict", payload=payload)
    return JobOut.of(job, services.publish(job))


def _kept(services: Services, archive: Folder) -> dict[str, Any]:
    key = keep_uploads(services.artifacts, services.settings, {"archive": archive})["archive"]
    return {"upload": key, SENT_BYTES: _size_of(archive)}


def _size_of(archive: Folder) -> int:
    return archive.stat().st_size


def answers_of(job: Job, name: AnswersName) -> dict[str, Any]:
    """One of the files that a predict job left: its key, sha256 and bytes.

    Raises:
        WrongKind: jobs of this kind leave none.
        NotReady: it has none yet.
    """
    if job.kind != "predict":
        raise WrongKind(f"job {job.id} is of kind {job.kind} and never has answers", "Name a job of kind predict.")
    if job.state != State.SUCCEEDED:
        raise NotReady(f"job {job.id} has no answers: it {standing(job.state)}", wait_for(job))
    found: dict[str, Any] = job.payload["answers"][name]
    return found
