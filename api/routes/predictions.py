"""Kept predictions: look at them, say what is right, forget them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime
from sqlalchemy.orm import Session

from api.dependencies import Services, ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.schemas.fields import Id, PageOut
from api.schemas.kept import FeedbackRequest, Forgotten, Keeping, KeptPredictionOut, KeptPredictionWhole
from api.schemas.problem import problems
from ml.decode.image_kind import media_type_of
from store.db.kept import (
    BATCH,
    Filters,
    feedback_of,
    forget_before,
    forget_prediction,
    get_prediction,
    give_feedback,
    list_predictions,
)
from store.db.kept_photos import is_kept, kept_among
from store.db.kept_tables import KeptPrediction
from store.errors import ArtifactMissing, NotFound, ServiceUnavailable
from store.keys import photo_key

router = APIRouter(prefix="/predictions", tags=["predictions"], route_class=TableRoute)

WRITING_SECONDS = 2.0
"""An answer may be read before it is written."""

Prediction = Annotated[UUID, Path(description="the `id` in the answer")]
Since = Annotated[AwareDatetime | None, Query(description="answered then or later")]
PHOTO: dict[int | str, dict[str, Any]] = {200: {"content": {"image/*": {}}, "description": "the photo as it was sent"}}


@router.get("", responses=problems(400))
def list_the_predictions(
    services: ServicesDep,
    part: SliceDep,
    *,
    unsure: Annotated[bool | None, Query(description="the model was not sure")] = None,
    unknown: Annotated[bool | None, Query(description="of no kind that the model knows")] = None,
    told: Annotated[bool | None, Query(description="there is feedback")] = None,
    contradicted: Annotated[bool | None, Query(description="the feedback differs from the answer")] = None,
    version: Id | None = None,
    since: Since = None,
) -> PageOut[KeptPredictionOut]:
    """Kept predictions, newest first. Each filter takes `true` and `false`; without it both are listed."""
    filters = Filters(
        unsure=unsure, unknown=unknown, told=told, contradicted=contradicted, version=version, since=since
    )
    with services.sessions.begin() as session:
        page = list_predictions(session, filters, cursor=part.cursor, limit=part.limit)
        photos = kept_among(session, {row.sha256 for row in page.items})
    return PageOut(items=[KeptPredictionOut.of(row, photos) for row in page.items], next_cursor=page.next_cursor)


@router.get("/keeping")
def get_what_is_kept(services: ServicesDep) -> Keeping:
    """What the service keeps of predictions: nothing, unless its operator has it do so."""
    settings = services.settings
    return Keeping(
        predictions=settings.keep_predictions,
        days=settings.keep_days,
        most_bytes=settings.keep_bytes,
        most_predictions=settings.keep_rows,
    )


@router.get("/{prediction}", responses=problems(404))
def get_a_prediction(prediction: Prediction, services: ServicesDep) -> KeptPredictionWhole:
    """A kept prediction, with all that was said of it."""
    _await_writing(services, prediction)
    with services.sessions.begin() as session:
        return _whole(session, get_prediction(session, prediction))


@router.get("/{prediction}/photo", response_class=Response, responses={**PHOTO, **problems(404)})
def get_the_photo_of_a_prediction(prediction: Prediction, services: ServicesDep) -> Response:
    """The photo, where the request asked for it to be kept and it has not had to go."""
    _await_writing(services, prediction)
    with services.sessions.begin() as session:
        row = get_prediction(session, prediction)
        if not row.with_photo or not is_kept(session, row.sha256):
            hint = "Photos are kept where PEDIGREE_KEEP_PREDICTIONS is photos and the request has keep=photo."
            raise NotFound(f"the photo of prediction {prediction} was not kept, or not for so long", hint)
    try:
        data = services.artifacts.get_bytes(photo_key(row.sha256))
    except ArtifactMissing as error:
        # It was deleted since the record was read.
        raise NotFound(f"the photo of prediction {prediction} is not kept any more") from error
    return Response(data, media_type=media_type_of(data), headers={"Cache-Control": "private, no-store"})


@router.post("/{prediction}/feedback", responses=problems(404, 413, 415))
def give_feedback_on_a_prediction(
    prediction: Prediction, request: FeedbackRequest, services: ServicesDep
) -> KeptPredictionWhole:
    """Say what is on the picture. The last word counts; the same again changes nothing."""
    _await_writing(services, prediction)
    with services.sessions.begin() as session:
        return _whole(session, give_feedback(session, prediction, request.breed))


@router.delete("/{prediction}", status_code=204, responses=problems(404))
def forget_a_prediction(prediction: Prediction, services: ServicesDep) -> None:
    """Forget a prediction and what was said of it; its photo too, unless another prediction has the same."""
    _await_writing(services, prediction)
    with services.sessions.begin() as session:
        sha256 = forget_prediction(session, prediction)
    _drop_photos(services, [sha256])


@router.delete("")
def forget_earlier_predictions(
    services: ServicesDep,
    before: Annotated[AwareDatetime, Query(description="those that were answered earlier than this are forgotten")],
) -> Forgotten:
    """Forget all predictions from before a time, with what was said of them and their photos."""
    predictions = photos = 0
    while True:
        count = _forget_some(services, before)
        predictions += count
        if count < BATCH:
            break
    while dropped := _drop_unwanted(services):
        photos += dropped
    return Forgotten(predictions=predictions, photos=photos)


def _forget_some(services: Services, before: datetime) -> int:
    with services.sessions.begin() as session:
        return forget_before(session, before)


def _drop_unwanted(services: Services) -> int:
    try:
        return services.afterwards.photos.drop_unwanted()
    except ServiceUnavailable:
        return 0  # the repair process does it once the store is back; nobody can ask for them any more


def _drop_photos(services: Services, hashes: list[str]) -> None:
    try:
        services.afterwards.photos.drop(hashes)
    except ServiceUnavailable:
        return  # as above


def _whole(session: Session, row: KeptPrediction) -> KeptPredictionWhole:
    return KeptPredictionWhole.with_history(row, kept_among(session, {row.sha256}), feedback_of(session, row))


def _await_writing(services: Services, prediction: UUID) -> None:
    services.afterwards.keeper.wait_for(prediction, WRITING_SECONDS)
