"""Uploads that survive a broken connection and a closed tab, by TUS 1.0.0; and label rules tried on their names."""

from contextlib import ExitStack
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.datasets.allowed_bytes import check_bytes
from api.datasets.resumable import Upload, Writer
from api.dependencies import ServicesDep
from api.http.errors import RefusedInside
from api.http.media_types import OFFSET, media_type
from api.http.tus import EXTENSIONS, VERSION, name_in, number_in
from api.schemas.dataset_items import PHOTO
from api.schemas.problem import problems
from api.schemas.uploads import RuleOnNames, RuleOnUpload, RuleTrialOut, UploadOut
from ml.data.rule_trial import RuleTrial
from store.db.audit import who_changes
from store.errors import UnsupportedMedia

router = APIRouter(tags=["uploads"])

PIECE_BYTES = 1024 * 1024
"""What is written at a time: each piece is a turn of a thread."""
CANNOT_STORE = {"Cache-Control": "no-store"}
PHOTO_CACHE = "private, max-age=86400, immutable"
"""The bytes of an upload that has come whole do not change."""

UploadId = Annotated[str, Path(min_length=1, max_length=64)]


@router.options("/uploads", status_code=204, response_class=Response, include_in_schema=False)
@router.options("/uploads/{upload_id}", status_code=204, response_class=Response, include_in_schema=False)
def say_what_is_spoken(services: ServicesDep) -> Response:
    """The version of the protocol, its extensions and the longest upload."""
    told = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(services.uploads.most_bytes)}
    return Response(status_code=204, headers=told)


@router.post("/uploads", status_code=201, responses=problems(400, 412, 413, 507))
def begin_an_upload(request: Request, services: ServicesDep, response: Response) -> UploadOut:
    """Make room for an archive of `Upload-Length` bytes, which are then sent to its `Location` by PATCH.

    `Upload-Metadata` may tell the file's name: `filename` and the name in base64.
    """
    length, owner = number_in(request.headers, "Upload-Length"), who_changes()
    with services.sessions.begin() as session:
        check_bytes(session, services.settings, services.uploads, owner, length)
        upload = services.uploads.create(length, name_in(request.headers), owner)
    response.headers.update(_state_of(upload))
    response.headers["Location"] = f"{services.settings.root_path}/uploads/{upload.id}"
    return UploadOut.model_validate(upload)


@router.get("/uploads/{upload_id}", responses=problems(404))
def get_an_upload(upload_id: UploadId, services: ServicesDep, response: Response) -> UploadOut:
    """An upload as it stands, in its headers too: HEAD tells where to go on."""
    upload = services.uploads.find(upload_id)
    response.headers.update(_state_of(upload) | CANNOT_STORE)
    return UploadOut.model_validate(upload)


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=problems(400, 404, 408, 409, 412, 413, 415, 423, 429, 507),
    openapi_extra={"requestBody": {"content": {OFFSET: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def add_to_an_upload(upload_id: UploadId, request: Request, services: ServicesDep) -> Response:
    """Add bytes, from `Upload-Offset` on. What came before a break is kept; HEAD says where to go on."""
    if media_type(request.headers) != OFFSET:
        raise UnsupportedMedia(f"the body is not {OFFSET}", f"Send it with Content-Type: {OFFSET}.")
    offset = number_in(request.headers, "Upload-Offset")
    with ExitStack() as held:
        writer = await run_in_threadpool(held.enter_context, services.uploads.writer(upload_id))
        writer.check_offset(offset)
        writer.check_size(_said_length(request))
        upload = await _taken(request, writer)
    return Response(status_code=204, headers=_state_of(upload))


@router.delete("/uploads/{upload_id}", status_code=204, response_class=Response, responses=problems(404, 409, 412, 423))
def end_an_upload(upload_id: UploadId, services: ServicesDep) -> Response:
    """Remove an upload."""
    with services.uploads.writer(upload_id) as writer:
        writer.remove()
    return Response(status_code=204)


@router.get(
    "/uploads/{upload_id}/photo", response_class=Response, responses={**PHOTO, **problems(400, 404, 409, 413, 429)}
)
def get_a_photo_of_an_upload(
    upload_id: UploadId,
    path: Annotated[str, Query(min_length=1, max_length=4096, description="in the archive")],
    services: ServicesDep,
) -> Response:
    """A photo of an archive that has come whole, as it lies in it."""
    _, archive = services.uploads.whole(upload_id)
    photo = services.archived.photo(archive, path)
    return Response(photo.data, media_type=photo.media_type, headers={"Cache-Control": PHOTO_CACHE})


@router.post("/uploads/{upload_id}/try-labels", responses=problems(400, 404, 409, 413, 415, 429))
def try_a_rule_on_an_upload(upload_id: UploadId, asked: RuleOnUpload, services: ServicesDep) -> RuleTrialOut:
    """What a label rule makes of the names in an archive that has come whole. Nothing is imported."""
    _, archive = services.uploads.whole(upload_id)
    return _told(services.trials.on_upload(upload_id, archive, asked))


@router.post("/label-rules/try", responses=problems(400, 413, 415, 429))
def try_a_rule_on_names(asked: RuleOnNames, services: ServicesDep) -> RuleTrialOut:
    """What a label rule makes of names, such as those of a folder that is to be sent."""
    return _told(services.trials.on_names(asked))


async def _taken(request: Request, writer: Writer) -> Upload:
    """Write a body as it comes; what has come is kept even where it breaks off."""
    piece, broken = bytearray(), None
    try:
        async for chunk in request.stream():
            piece += chunk
            if len(piece) >= PIECE_BYTES:
                await run_in_threadpool(writer.write, bytes(piece))
                piece.clear()
    except (ClientDisconnect, RefusedInside) as error:
        broken = error
    upload = await run_in_threadpool(_settled, writer, bytes(piece))
    if broken is not None:
        raise broken
    return upload


def _settled(writer: Writer, rest: bytes) -> Upload:
    writer.write(rest)
    return writer.settle()


def _said_length(request: Request) -> int:
    said = request.headers.get("Content-Length", "0")
    return int(said[:20]) if said.isdecimal() else 0


def _state_of(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.length),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
    }


def _told(trial: RuleTrial) -> RuleTrialOut:
    return RuleTrialOut.model_validate(trial)
