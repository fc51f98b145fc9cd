"""Predict: pictures in, breeds out. Pick the model, run each picture through it, judge, answer."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import Services, ServicesDep
from api.http.media_types import JSON
from api.kept.afterwards import Keep, PassingPicture
from api.routes.quick import QuickRoute
from api.schemas.fields import ModelName
from api.schemas.predictions import AnsweredBy, Predictions
from api.schemas.problem import problems
from api.serving.answers import Entry, Terms, answered, coverage_of, failed, model_of, whole, written
from api.serving.batching import Place
from api.serving.decoding import Pending, Step, Turn
from api.serving.lines import LINES_TOO, Lines, wants_lines
from api.serving.picking import picked
from api.serving.predictor import LoadedVersion
from api.serving.sent_pictures import REQUEST_BODY, SentPicture, sent_pictures
from ml.errors import ImageRejected
from ml.judge.sets import LEAST_COVERAGE, MOST_COVERAGE
from ml.serve.outputs import Output
from store.db.registry import DEFAULT_ALIAS
from store.errors import PayloadTooLarge
from store.tracing import note

router = APIRouter(tags=["predict"], route_class=QuickRoute)

Name = Annotated[ModelName, Query(description="alias or version")]


@dataclass(frozen=True)
class PredictQuery:
    """What the address asks for."""

    model: str
    tta: bool
    keep: Keep | None
    terms: Terms


@router.post(
    "/predict",
    openapi_extra=REQUEST_BODY,
    response_model=Predictions,
    responses={200: LINES_TOO, **problems(400, 404, 409, 413, 415, 429)},
)
async def predict(
    request: Request,
    services: ServicesDep,
    model: Name = DEFAULT_ALIAS,
    top_k: Annotated[int, Query(ge=1, le=1000)] = 5,
    tta: Annotated[bool, Query(description="average over four augmented copies and the plain picture")] = False,
    coverage: Annotated[
        float | None,
        Query(
            ge=LEAST_COVERAGE,
            le=MOST_COVERAGE,
            allow_inf_nan=False,
            description="a set of breeds that holds the true one so often",
        ),
    ] = None,
    keep: Annotated[
        Keep | None,
        Query(description="`photo`: keep the photo too, where the service keeps photos; `no`: keep nothing of this"),
    ] = None,
) -> Response:
    """The breed in each picture, with the calibrated probability of every breed, and whether it is any of them.

    The pictures are parts `file` of a form; or the body is one picture, sent as image/jpeg and the like; or it is JSON
    with pictures in base64. One broken picture of several fails alone; a single broken one is the answer's own error.

    With `Accept: application/x-ndjson` each picture is a line of its own, sent as soon as it is ready, whichever comes
    first; its `index` is its place among those sent. Which model answered is then told in
    headers, and with `coverage` what the sets are worth (`Pedigree-Version`, `Pedigree-Coverage-Note` and the like).
    """
    asked = PredictQuery(model, tta, keep, Terms(top_k, services.settings.refused_share, coverage))
    async with AsyncExitStack() as held:
        files = await held.enter_async_context(sent_pictures(request))
        _check_count(files, services.settings.max_predict_files)
        services.afterwards.check(asked.keep)
        served = await picked(services.predictor, model, files[0])
        about = _about(served, asked)
        held.enter_context(services.telemetry.answering(served.version))
        place = held.enter_context(services.batcher.places(len(files) * (served.classifier.copies if tta else 1)))
        turn = await held.enter_async_context(services.decoding.of(request, services.settings.predict_seconds))
        held.callback(_tell_trace, served.version, len(files), turn, place)
        pictures = [turn.begin(_step(file, served, services, turn, place, asked)) for file in files]
        if wants_lines(request.headers):
            return Lines(files, pictures, about, held.pop_all())
        found = await asyncio.gather(*pictures, return_exceptions=True)
        pictures.clear()
        return Response(whole(about, _entries(found, files)), media_type=JSON)


def _check_count(files: list[SentPicture], most: int) -> None:
    if len(files) > most:
        raise PayloadTooLarge(f"the request has {len(files)} files", f"Send at most {most} at a time.")


def _tell_trace(version: int, photos: int, turn: Turn, place: Place) -> None:
    """Where the time of the request went; of several photos, the slowest one's."""
    note(
        {
            "pedigree.version": version,
            "pedigree.photos": photos,
            "pedigree.decode_seconds": turn.decoded,
            "pedigree.queue_seconds": place.waited,
            "pedigree.forward_seconds": place.passed,
        }
    )


def _about(served: LoadedVersion, asked: PredictQuery) -> AnsweredBy:
    return AnsweredBy(
        model=model_of(served),
        tta=asked.tta,
        refused_share=asked.terms.refused_share,
        coverage=coverage_of(served, asked.terms.coverage),
    )


def _step(
    file: SentPicture, served: LoadedVersion, services: Services, turn: Turn, place: Place, asked: PredictQuery
) -> Step[bytes]:
    """One picture's way: prepared in a thread that decodes, judged in one of the forward passes."""
    classifier = served.classifier
    prepare = classifier.prepare_copies if asked.tta else lambda *picture: [classifier.prepare(*picture)]
    is_compared = not asked.tta and asked.keep != "no" and services.shadowing.wants(asked.model)
    seen = services.afterwards.seen(prepare, asked.keep, is_compared=is_compared)

    def hand_on(inputs: list[Any], pending: Pending[bytes]) -> None:
        services.batcher.submit(classifier, inputs, place, lambda found: judge(found, pending), turn.over)

    def judge(found: Sequence[Output] | Exception, pending: Pending[bytes]) -> None:
        if isinstance(found, Exception):
            pending.fail(found)
        else:
            pending.give_what(lambda: written(_entry(file, found, seen, served, services, asked)))

    return Step(file, services.image_limits, seen, hand_on)


def _entry(
    file: SentPicture,
    outputs: Sequence[Output],
    seen: PassingPicture[list[Any]],
    served: LoadedVersion,
    services: Services,
    asked: PredictQuery,
) -> Entry:
    """One picture's part of the answer: every picture that is answered comes by here, in a thread of the passes."""
    said = answered(file.filename, outputs, served, asked.terms)
    services.telemetry.note_top(served.version, said.probability)
    if seen.is_compared and seen.data is not None:
        services.shadowing.note(seen.data, outputs, served)
    return services.afterwards.note(said, seen, version=served.version, asked=asked.model, keep=asked.keep)


def _entries(found: list[bytes | BaseException], files: list[SentPicture]) -> list[bytes]:
    """A broken picture of several fails alone; any other error is that of the request."""
    fatal = next((one for one in found if isinstance(one, BaseException) and not _fails_alone(one, files)), None)
    if fatal is None:
        return [_written(one, file) for one, file in zip(found, files, strict=True)]
    try:
        raise fatal
    finally:
        # An error has the frames that it went through: what they hold of it is a circle, and the model is in it.
        found.clear()
        del fatal


def _fails_alone(error: BaseException, files: list[SentPicture]) -> bool:
    return isinstance(error, ImageRejected) and len(files) > 1


def _written(found: bytes | BaseException, file: SentPicture) -> bytes:
    return written(failed(file.filename, found)) if isinstance(found, ImageRejected) else cast("bytes", found)
