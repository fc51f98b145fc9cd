"""Datasets: what is there, and bringing one in."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from api.dependencies import Services, ServicesDep, SliceDep
from api.label_rules import check_regex
from api.schemas.datasets import ArchiveForm, BuiltinRequest, DatasetOut, DatasetSummary
from api.schemas.fields import DatasetName, PageOut
from api.schemas.jobs import JobOut
from api.schemas.problem import problems
from api.uploads import read_form, scratch_file
from ml.manifest import LabelRule
from store.db.base import Json
from store.db.datasets import current_dataset, list_datasets
from store.db.jobs import create_job
from store.db.models import Job
from store.errors import InvalidRequest, NotFound
from store.keys import new_upload_key

router = APIRouter(prefix="/datasets", tags=["datasets"])

_builtin: TypeAdapter[BuiltinRequest] = TypeAdapter(BuiltinRequest)
_form: TypeAdapter[ArchiveForm] = TypeAdapter(ArchiveForm)

REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["archive", "name"],
                    "properties": {
                        "archive": {"type": "string", "format": "binary", "description": "zip or tar of pictures"},
                        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
                        "regex": {
                            "type": "string",
                            "maxLength": 200,
                            "description": "on the file name, with one group: the label",
                            "example": r"(.+)_\d+.jpg$",
                        },
                        "by_folder": {"type": "boolean", "description": "the label is the folder's name"},
                    },
                }
            },
            "application/json": {"schema": {"$ref": "#/components/schemas/BuiltinRequest"}},
        },
    }
}


@router.get("", responses=problems(400))
def list_the_datasets(services: ServicesDep, part: SliceDep) -> PageOut[DatasetSummary]:
    """The current revision of each dataset."""
    with services.sessions.begin() as session:
        page = list_datasets(session, cursor=part.cursor, limit=part.limit)
    return PageOut(items=[DatasetSummary.of(one) for one in page.items], next_cursor=page.next_cursor)


@router.get("/{name}", responses=problems(404))
def get_a_dataset(name: Annotated[DatasetName, Path()], services: ServicesDep) -> DatasetOut:
    """A dataset: vocabulary, count per breed, sizes, and the files that were left out with the reason."""
    with services.sessions.begin() as session:
        dataset = current_dataset(session, name)
    if dataset is None:
        raise NotFound(f"there is no dataset {name!r}", "GET /datasets lists them.")
    return DatasetOut.of(dataset)


@router.post("", status_code=202, openapi_extra=REQUEST_BODY, responses=problems(400, 413, 415))
async def add_a_dataset(request: Request, services: ServicesDep, response: Response) -> JobOut:
    """Queue the import of an uploaded archive, or of a dataset that the project knows."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        payload = _builtin_payload(await request.body())
    else:
        payload = await _archive_payload(request, services)
    job = await run_in_threadpool(_queue_import, services, payload)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobOut.of(job)


def _builtin_payload(body: bytes) -> Json:
    try:
        request = _builtin.validate_json(body)
    except ValidationError as error:
        raise _as_request_error(error) from None
    rule = LabelRule().model_dump(mode="json")
    return {"name": request.name, "source": {"kind": "builtin", "builtin": request.builtin}, "rule": rule}


async def _archive_payload(request: Request, services: Services) -> Json:
    """Take the upload in and keep the archive where any worker can fetch it."""
    with scratch_file(services.settings.cache / "uploads") as archive:
        form = await read_form(request, archive, max_bytes=services.settings.max_upload_bytes)
        try:
            fields = _form.validate_python(form.fields)
        except ValidationError as error:
            raise _as_request_error(error) from None
        if not form.archive_bytes:
            raise InvalidRequest("the form has no archive", "Send a zip or tar as the part `archive`.")
        rule = _label_rule(fields)
        key = new_upload_key()
        await run_in_threadpool(services.artifacts.put_file, key, archive)
    return {"name": fields.name, "source": {"kind": "archive", "key": key}, "rule": rule.model_dump(mode="json")}


def _label_rule(fields: ArchiveForm) -> LabelRule:
    if fields.by_folder:
        if fields.regex is not None:
            raise InvalidRequest("both regex and by_folder are given", "Give one of them.")
        return LabelRule(kind="folder")
    if fields.regex is None:
        return LabelRule()
    check_regex(fields.regex)
    return LabelRule(regex=fields.regex)


def _queue_import(services: Services, payload: Json) -> Job:
    with services.sessions.begin() as session:
        job = create_job(session, kind="import", payload=payload, max_attempts=services.settings.max_attempts)
    services.publish(job.id)
    return job


def _as_request_error(error: ValidationError) -> RequestValidationError:
    """A body that this route reads itself, refused like any other."""
    return RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)])
