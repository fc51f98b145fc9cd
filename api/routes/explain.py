"""Why: the part of a photo that speaks for a breed."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.dependencies import Services, ServicesDep
from api.schemas.fields import ModelName
from api.schemas.problem import problems
from api.serving.decoding import Pending, Step
from api.serving.explaining import Why
from api.serving.sent_pictures import REQUEST_BODY, SentPicture, sent_pictures
from store.db.registry import DEFAULT_ALIAS, resolve_model
from store.errors import InvalidRequest

router = APIRouter(tags=["predict"])

PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "the photo's middle with the heat over it, the scale below"}
}


@router.post(
    "/predict/explain",
    openapi_extra=REQUEST_BODY,
    response_class=Response,
    responses={**PNG, **problems(400, 404, 413, 415, 429)},
)
async def explain(
    request: Request,
    services: ServicesDep,
    model: Annotated[ModelName, Query(description="alias or version")] = DEFAULT_ALIAS,
    breed: Annotated[
        str | None, Query(min_length=1, max_length=200, description="what to explain; by default the likeliest breed")
    ] = None,
) -> Response:
    """What in one photo speaks for a breed, as a heat map (Grad-CAM++): yellow has the largest part, black none."""
    async with sent_pictures(request) as files:
        if len(files) != 1:
            raise InvalidRequest(f"the request has {len(files)} photos, and one is explained", "Send one at a time.")
        run = await run_in_threadpool(_run_of, services, model)
        async with services.decoding.of(request, services.settings.predict_seconds) as turn:
            picture = await turn.begin(_step(files[0], services, Why(run, breed, turn.over)))
    return Response(picture, media_type="image/png")


def _step(file: SentPicture, services: Services, why: Why) -> Step[bytes]:
    """Nothing is decoded before its turn: whoever waits holds the file and not its pixels."""
    limits = services.image_limits

    def hand_on(data: list[bytes], pending: Pending[bytes]) -> None:
        services.explaining.begin(why, data[0], limits, pending)

    return Step(file, limits, lambda data, _: [data], hand_on)


def _run_of(services: Services, model: str) -> int:
    with services.sessions.begin() as session:
        return resolve_model(session, model).run_id
