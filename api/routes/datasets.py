"""Datasets: what is there, how it looks, and bringing one in."""

import logging
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError

from api.datasets.allowed_bytes import check_bytes
from api.datasets.kept_uploads import keep_uploads
from api.datasets.label_rules import encoding_of, label_rule
from api.datasets.looks import MAX_BATCH, Side
from api.datasets.resumable import Writer, check_whole
from api.datasets.uploads import Form, read_form, scratch_file
from api.dependencies import Services, ServicesDep, SliceDep
from api.http.field_errors import BodyRefused
from api.http.media_types import FORM
from api.http.tables import TableRoute
from api.jobs.queueing import queue_job
from api.schemas.datasets import (
    BUILTINS,
    ArchiveForm,
    ArchiveUpload,
    Builtin,
    BuiltinRequest,
    CollatedOut,
    DatasetOut,
    DatasetSummary,
    ItemSteps,
    NearDuplicatesOut,
    StepOut,
)
from api.schemas.fields import DatasetName, PageOut
from api.schemas.jobs import JobOut
from api.schemas.kept import FromFeedback
from api.schemas.problem import problems
from ml.config import TrainSettings
from ml.data.manifest import LabelRule
from ml.data.split import choose_split
from ml.look.contact_sheet import Scheme
from ml.look.labelled_batch import Shown
from store.cache_names import uploads_folder
from store.dataset_files import delete_dataset_files
from store.db.audit import who_changes
from store.db.base import Json
from store.db.dataset_deletion import delete_dataset
from store.db.datasets import get_dataset, list_datasets, runs_of_datasets
from store.db.models import Dataset
from store.db.owned import SENT_BYTES
from store.db.taught import nothing_taught, taught_photos
from store.errors import ArtifactMissing, InvalidRequest, NameConflict, ServiceUnavailable

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/datasets", tags=["datasets"], route_class=TableRoute)

Name = Annotated[DatasetName, Path()]
ValidPct = Annotated[float, Query(gt=0, lt=1, allow_inf_nan=False, description="share of the validation side")]
SplitSeed = Annotated[int, Query(ge=0, lt=2**63)]
Seed = Annotated[int, Query(ge=0, lt=2**63, description="the same seed gives the same image")]
SchemeQuery = Annotated[Scheme, Query(description="dark ink on white paper, or light ink on dark")]
Item = Annotated[int, Query(ge=-(2**63), lt=2**63, description="position in the dataset, from 0")]
SHOWN: dict[str, Shown] = {"true": "augmented", "false": "as_is", "both": "both"}
FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {FORM: {"schema": {"$ref": f"#/components/schemas/{ArchiveUpload.__name__}"}}},
    }
}
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "the image"}}

_form: TypeAdapter[ArchiveForm] = TypeAdapter(ArchiveForm)


@router.get("", responses=problems(400))
def list_the_datasets(services: ServicesDep, part: SliceDep) -> PageOut[DatasetSummary]:
    """The current revision of each dataset."""
    with services.sessions.begin() as session:
        page = list_datasets(session, cursor=part.cursor, limit=part.limit)
        runs = runs_of_datasets(session, [one.name for one in page.items])
    items = [DatasetSummary.of(one, runs.get(one.name, 0)) for one in page.items]
    return PageOut(items=items, next_cursor=page.next_cursor)


@router.get("/{name}", responses=problems(404, 429))
def get_a_dataset(
    name: Name, services: ServicesDep, valid_pct: ValidPct = 0.2, split_seed: SplitSeed = 42
) -> DatasetOut:
    """A dataset: vocabulary, count per breed, sizes, the files that were left out with the reason, and its duplicates.

    `near_duplicates` are pairs of items whose images are equal or nearly so: across the split of `valid_pct` and
    `split_seed`, under different labels, and anywhere.
    """
    dataset = _dataset(services, name)
    with services.sessions.begin() as session:
        runs = runs_of_datasets(session, [name]).get(name, 0)
    try:
        found = services.looks.near_duplicates(dataset)
    except (ArtifactMissing, ServiceUnavailable) as error:
        return DatasetOut.with_near_duplicates(dataset, runs, None, error.detail)
    valid = choose_split(found.manifest, TrainSettings(valid_pct=valid_pct, split_seed=split_seed)).valid
    pairs = NearDuplicatesOut.of(found.pairs, found.manifest, valid, valid_pct=valid_pct, split_seed=split_seed)
    return DatasetOut.with_near_duplicates(dataset, runs, pairs)


@router.delete("/{name}", status_code=204, response_class=Response, responses=problems(404, 409))
def delete_a_dataset(name: Name, services: ServicesDep) -> Response:
    """Delete a dataset with all its revisions and files. While runs hang on it, it stays: the answer says which."""
    with services.sessions.begin() as session:
        keys = delete_dataset(session, name)
    try:
        delete_dataset_files(services.artifacts, services.sessions, keys)
    except ServiceUnavailable as error:
        # It is off the record, and the repair process deletes its files when the store is back.
        logger.warning("files of dataset %s are left to be deleted later: %s", name, error.detail)
    return Response(status_code=204)


@router.get("/{name}/batch.png", response_class=Response, responses={**PNG, **problems(400, 404, 429)})
def get_a_batch(
    name: Name,
    services: ServicesDep,
    *,
    split: Annotated[Side, Query(description="the side that the images are taken from")] = "train",
    augment: Annotated[
        Literal["true", "false", "both"], Query(description="as in training, as they are, or both, one below the other")
    ] = "both",
    n: Annotated[int, Query(ge=1, le=MAX_BATCH, description="images")] = 9,
    seed: Seed = 0,
    valid_pct: ValidPct = 0.2,
    split_seed: SplitSeed = 42,
    scheme: SchemeQuery = "light",
) -> Response:
    """A labelled batch: images in the order and with the draws of the first step of a run with this seed."""
    dataset = _dataset(services, name)
    settings = TrainSettings(seed=seed, valid_pct=valid_pct, split_seed=split_seed)
    return _png(services.looks.batch(dataset, split, n, settings, SHOWN[augment], scheme))


@router.get("/{name}/presizing.png", response_class=Response, responses={**PNG, **problems(404, 429)})
def get_the_presizing(
    name: Name, services: ServicesDep, item: Item = 0, seed: Seed = 0, scheme: SchemeQuery = "light"
) -> Response:
    """The same strong changes of one item, by one interpolation and step by step, with a detail magnified."""
    return _png(services.looks.presizing(_dataset(services, name), item, seed, TrainSettings(), scheme))


@router.get("/{name}/summary", responses=problems(400, 404, 429))
def get_the_steps_of_an_item(
    name: Name,
    services: ServicesDep,
    item: Item = 0,
    presize: Annotated[int, Query(ge=32, le=1024, description="side of the presized square, pixels")] = 460,
    size: Annotated[int, Query(ge=32, le=1024, description="side of the model's input, pixels")] = 224,
    resize: Annotated[bool, Query(description="false: what happens where no resize is asked for")] = True,
    seed: Seed = 0,
) -> ItemSteps:
    """One item through every step, with type, shape, dtype and range of values.

    Where items cannot be put into one batch, their shapes, the reason and the one thing to add.
    """
    if size > presize:
        hint = "Raise presize or lower size."
        raise InvalidRequest(f"it is larger than presize {presize}", hint, field="query.size", value=size)
    dataset = _dataset(services, name)
    settings = TrainSettings(presize=presize, size=size, seed=seed)
    passage = services.looks.steps(dataset, item, settings, resize=resize)
    return ItemSteps(
        dataset=dataset.name,
        drawn=dataset.drawn,
        item=item,
        path=passage.path,
        steps=[StepOut.model_validate(step) for step in passage.steps],
        collated=CollatedOut.model_validate(passage.collated),
    )


@router.post("", status_code=202, openapi_extra=FORM_BODY, responses=problems(400, 404, 409, 413, 415, 423, 429, 507))
async def upload_a_dataset(request: Request, services: ServicesDep, response: Response) -> JobOut:
    """Queue the import of an archive that comes in the form, or has come before as `upload`."""
    with ExitStack() as held:
        payload, upload = await _archive_payload(request, services, held)
        becomes = None if upload is None else upload.upload.id
        queued = await run_in_threadpool(partial(_queue_import, services, payload, response, upload=becomes))
        if upload is not None:
            await run_in_threadpool(upload.become, queued.id)
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


async def _archive_payload(request: Request, services: Services, held: ExitStack) -> tuple[Json, Writer | None]:
    """Take the archive in and keep it where any worker can fetch it; what was uploaded before is held meanwhile."""
    folder = uploads_folder(services.settings.cache)
    with scratch_file(folder) as archive, scratch_file(folder) as labels:
        form = await read_form(request, archive, labels, max_bytes=services.settings.max_upload_bytes)
        try:
            fields = _form.validate_python(form.fields)
        except ValidationError as error:
            raise BodyRefused(error, ArchiveForm) from None
        _check_parts(form, fields.upload)
        # A service without the Internet gets the published photos as an archive; the sample is drawn.
        _check_name(fields.name, "oxford-iiit-pet")
        if fields.add:
            await run_in_threadpool(_dataset, services, fields.name)
        beside = form.labels_bytes is not None
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
    return payload, upload


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


def _dataset(services: Services, name: str) -> Dataset:
    with services.sessions.begin() as session:
        return get_dataset(session, name)


def _png(picture: bytes) -> Response:
    # A dataset's name may come to mean other images.
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, no-cache"})


def _queue_import(
    services: Services, payload: Json, response: Response, *, size: int = 0, upload: str | None = None
) -> JobOut:
    """Queue an import within what its owner may have.

    Args:
        services: the app's parts.
        payload: the job's.
        response: gets its address.
        size: what it is about to add, in bytes, where nothing was sent with it.
        upload: the upload that becomes the import.
    """
    with services.sessions.begin() as session:
        adds = payload.get(SENT_BYTES, size)
        check_bytes(session, services.settings, services.uploads, who_changes(), adds, upload=upload)
        job = queue_job(session, services.settings, kind="import", payload=payload)
    response.headers["Location"] = f"{services.settings.root_path}/jobs/{job.id}"
    return JobOut.of(job, services.publish(job))
