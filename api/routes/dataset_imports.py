"""Datasets that are brought in: an archive, what the project knows itself, and what people said of kept photos."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError

from api.datasets.allowed_bytes import check_bytes
from api.datasets.import_digest import import_digest
from api.datasets.kept_uploads import keep_uploads
from api.datasets.label_rules import encoding_of, label_rule
from api.datasets.resumable import Writer, check_whole
from api.datasets.uploads import Form, read_form, scratch_file
from api.dependencies import Services, ServicesDep
from api.http.field_errors import BodyRefused
from api.http.media_types import FORM
from api.http.tables import TableRoute
from api.jobs.queueing import queue_job
from api.routes.jobs import IdempotencyKey
from api.schemas.datasets import (
    BUILTINS,
    ArchiveForm,
    ArchiveUpload,
    Builtin,
    BuiltinRequest,
)
from api.schemas.fields import DatasetName
from api.schemas.jobs import JobOut
from api.schemas.kept import FromFeedback
from api.schemas.problem import problems
from ml.data.manifest import LabelRule
from store.cache_names import uploads_folder
from store.db.audit import who_changes
from store.db.base import Json
from store.db.datasets import get_dataset
from store.db.jobs import find_by_idempotency_key
from store.db.models import Dataset, Job
from store.db.owned import SENT_BYTES
from store.db.taught import nothing_taught, taught_photos
from store.db.waiting import waiting_of
from store.deletions import delete_unheld
from store.errors import AppError, InvalidRequest, NameConflict, ServiceUnavailable

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/datasets", tags=["datasets"], route_class=TableRoute)

Name = Annotated[DatasetName, Path()]
FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {FORM: {"schema": {"$ref": f"#/components/schemas/{ArchiveUpload.__name__}"}}},
    }
}

_form: TypeAdapter[ArchiveForm] = TypeAdapter(ArchiveForm)


@router.post(
    "",
    status_code=202,
    openapi_extra=FORM_BODY,
    responses={200: {"model": JobOut}, **problems(400, 404, 409, 413, 415, 423, 429, 507)},
)
async def upload_a_dataset(
    request: Request, services: ServicesDep, response: Response, idempotency_key: IdempotencyKey = None
) -> JobOut:
    """Queue the import of an archive that comes in the form, or has come before as `upload`: 202.

    With the key and the form of an import that is on record, it is that one: 200.
    """
    with ExitStack() as held:
        sent = await _archive_payload(request, services, held, idempotency_key)
        if isinstance(sent, Job):
            return await run_in_threadpool(_found, services, sent, response)
        becomes = None if sent.upload is None else sent.upload.upload.id
        queue = partial(_queue_import, services, sent.payload, response, upload=becomes, asked=sent.asked)
        queued = await run_in_threadpool(queue)
        if sent.upload is not None:
            await run_in_threadpool(sent.upload.become, queued.id)
    return queued


@router.post("/builtin", status_code=202, responses=problems(400, 409, 413, 415, 429))
def add_a_builtin_dataset(asked: BuiltinRequest, services: ServicesDep, response: Response) -> JobOut:
    """Queue the import of a dataset that the project draws or downloads itself."""
    _check_name(asked.name, asked.builtin)
    rule = LabelRule().model_dump(mode="json")
    payload = {"name": asked.name, "source": {"kind": "builtin", "builtin": asked.builtin}, "rule": rule}
    return _queue_import(services, payload, response)


@router.post("/{name}/from-feedback", status_code=202, responses=problems(404, 409, 413, 415, 429))
def make_a_revision_from_feedback(name: Name, asked: FromFeedback, services: ServicesDep, response: Response) -> JobOut:
    """Queue an import that adds the kept photos whose breed people named, as the dataset's next revision.

    Photos that the dataset has already are not added again. The job's log says how many were, and what was left out.
    """
    dataset = _dataset(services, name)
    with services.sessions.begin() as session:
        taught = taught_photos(session, version=asked.version, since=asked.since)
    if not taught.photos:
        raise nothing_taught(taught)
    source = {"kind": "feedback", **asked.model_dump(mode="json")}
    payload = {"name": name, "source": source, "rule": dataset.label_rule}
    return _queue_import(services, payload, response, size=dataset.bytes or 0)


def _check_name(name: str, own: Builtin) -> None:
    """Keep the names of what the project knows for that; ``own`` is the one that the content may have.

    Raises:
        NameConflict: the name means another content.
    """
    if name in BUILTINS and name != own:
        what = "the drawn sample" if name == "sample" else "the published photos"
        raise NameConflict(f"the name {name!r} is kept for {what}", "Give the dataset another name.")


@dataclass(frozen=True)
class _IdempotentRequest:
    """The Idempotency-Key of a request, and what is the same when it comes again."""

    key: str
    digest: str


@dataclass(frozen=True)
class _NewImport:
    """An import that is about to be queued, and the upload that it takes over."""

    payload: Json
    upload: Writer | None
    asked: _IdempotentRequest | None


async def _archive_payload(
    request: Request, services: Services, held: ExitStack, idempotency_key: str | None
) -> _NewImport | Job:
    """Take the archive in and keep it where any worker can fetch it; what was uploaded before is held meanwhile.

    Where the key's import is on record, nothing is kept and that job is the answer.
    """
    folder = uploads_folder(services.settings.cache)
    with scratch_file(folder) as archive, scratch_file(folder) as labels:
        form = await read_form(request, archive, labels, max_bytes=services.settings.max_upload_bytes)
        try:
            fields = _form.validate_python(form.fields)
        except ValidationError as error:
            raise BodyRefused(error, ArchiveForm) from None
        _check_parts(form, fields.upload)
        beside = form.labels_bytes is not None
        asked = None
        if idempotency_key is not None:
            parts = ({} if form.archive_bytes is None else {"archive": archive}) | (
                {"labels": labels} if beside else {}
            )
            asked = _IdempotentRequest(idempotency_key, await run_in_threadpool(import_digest, fields, parts))
            job = await run_in_threadpool(_find, services, asked)
            if job is not None:
                return job
        # A service without the Internet gets the published photos as an archive; the sample is drawn.
        _check_name(fields.name, "oxford-iiit-pet")
        if fields.add:
            await run_in_threadpool(_dataset, services, fields.name)
        # Compiling the worst rule takes a tenth of a second.
        rule = await run_in_threadpool(label_rule, fields, beside=beside)
        encoding = encoding_of(fields)
        upload = None
        if fields.upload is not None:
            upload = await run_in_threadpool(held.enter_context, services.uploads.writer(fields.upload))
            check_whole(upload.upload)
        files = {"key": archive if upload is None else upload.path} | ({"labels": labels} if beside else {})
        size = sum(file.stat().st_size for file in files.values())
        becomes = None if fields.keep_upload else fields.upload
        # Once more when the job is on record: this time it is for the store, which need not take in what is refused.
        await run_in_threadpool(_check_bytes, services, size, becomes)
        keys = await run_in_threadpool(keep_uploads, services.artifacts, services.settings, files)
    if fields.keep_upload:
        upload = None
    source: Json = {"kind": "archive", **keys} | ({} if encoding is None else {"encoding": encoding})
    if fields.add:
        source["add"] = True
    payload = {"name": fields.name, "source": source, "rule": rule.model_dump(mode="json"), SENT_BYTES: size}
    return _NewImport(payload, upload, asked)


def _check_bytes(services: Services, size: int, becomes: str | None) -> None:
    with services.sessions.begin() as session:
        check_bytes(session, services.settings, services.uploads, who_changes(), size, upload=becomes)


def _check_parts(form: Form, upload: str | None) -> None:
    if upload is None and form.archive_bytes is None:
        hint = "Send a zip or tar as the part `archive`, or the id of an `upload`."
        raise InvalidRequest("the form has no archive", hint, field="body.archive")
    if upload is not None and form.archive_bytes is not None:
        raise InvalidRequest("both archive and upload are given", "Give one of them.", field="body.upload")
    if form.archive_bytes == 0:
        hint = "Send a zip or tar with images in it."
        raise InvalidRequest("the archive is empty: 0 bytes", hint, field="body.archive")
    if form.labels_bytes == 0:
        hint = "Send filename,label lines, or no `labels`."
        raise InvalidRequest("the list of labels is empty: 0 bytes", hint, field="body.labels")


def _queue_import(
    services: Services,
    payload: Json,
    response: Response,
    *,
    size: int = 0,
    upload: str | None = None,
    asked: _IdempotentRequest | None = None,
) -> JobOut:
    """Queue an import within what its owner may have.

    Args:
        services: the app's parts.
        payload: the job's.
        response: gets its address.
        size: what it is about to add, in bytes, where nothing was sent with it.
        upload: the upload that becomes the import.
        asked: by what it is known when it is asked for again.
    """
    try:
        with services.sessions.begin() as session:
            # Once more, under the key's lock: the same may have come twice at once.
            earlier = None if asked is None else find_by_idempotency_key(session, asked.key, asked.digest)
            if earlier is None:
                adds = payload.get(SENT_BYTES, size)
                check_bytes(session, services.settings, services.uploads, who_changes(), adds, upload=upload)
                known = {} if asked is None else {"idempotency_key": asked.key, "request_sha256": asked.digest}
                job = queue_job(session, services.settings, kind="import", payload=payload, **known)
    except AppError:
        _delete_sent(services, payload)
        raise
    if earlier is not None:
        _delete_sent(services, payload)
        return _found(services, earlier, response)
    response.headers["Location"] = _address(services, job)
    return JobOut.of(job, services.publish(job))


def _find(services: Services, asked: _IdempotentRequest) -> Job | None:
    with services.sessions.begin() as session:
        return find_by_idempotency_key(session, asked.key, asked.digest)


def _found(services: Services, job: Job, response: Response) -> JobOut:
    """An import that is on record already, as it stands."""
    response.status_code = 200
    response.headers["Location"] = _address(services, job)
    with services.sessions.begin() as session:
        return JobOut.of(job, waiting_of(session, [job]))


def _address(services: Services, job: Job) -> str:
    return f"{services.settings.root_path}/jobs/{job.id}"


def _delete_sent(services: Services, payload: Json) -> None:
    """Delete the files of an import that is not queued."""
    keys = [payload["source"][name] for name in ("key", "labels") if name in payload["source"]]
    try:
        delete_unheld(services.artifacts, services.sessions, keys)
    except ServiceUnavailable as error:
        # No job waits for them, and the repair process deletes them when the store is back.
        logger.warning("uploads that came twice are left to be deleted later: %s", error.detail)


def _dataset(services: Services, name: str) -> Dataset:
    with services.sessions.begin() as session:
        return get_dataset(session, name)
