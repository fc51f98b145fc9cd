"""Predict: pictures in, breeds out. Pick the model, run each picture through it, judge, answer."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from api.dependencies import Services, ServicesDep
from api.kept.afterwards import Keep, Seen
from api.schemas.predictions import Predictions
from api.schemas.problem import problems
from api.serving.answers import Entry, answered, failed, model_of
from api.serving.decoding import Turn
from api.serving.picking import picked
from api.serving.predictor import LoadedVersion
from api.serving.sent_pictures import REQUEST_BODY, SentPicture, sent_pictures
from ml.errors import ImageRejected
from ml.serve.outputs import Output
from store.db.registry import DEFAULT_ALIAS
from store.errors import PayloadTooLarge

router = APIRouter(tags=["predict"])

Name = Annotated[str, Query(pattern=r"^([A-Za-z][A-Za-z0-9._-]{0,63}|[0-9]{1,18})$", description="alias or version")]


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    model: str
    top_k: int
    tta: bool
    keep: Keep | None


@router.post("/predict", openapi_extra=REQUEST_BODY, responses=problems(400, 404, 409, 413, 415, 429))
async def predict(
    request: Request,
    services: ServicesDep,
    model: Name = DEFAULT_ALIAS,
    top_k: Annotated[int, Query(ge=1, le=1000)] = 5,
    tta: Annotated[bool, Query(description="average over four augmented copies and the plain picture")] = False,
    keep: Annotated[
        Keep | None,
        Query(description="`photo`: keep the photo too, where the service keeps photos; `no`: keep nothing of this"),
    ] = None,
) -> Predictions:
    """The breed in each picture, with the score of every breed.

    The pictures are parts `file` of a form; or the body is one picture, sent as image/jpeg and the like; or it is JSON
    with pictures in base64. One broken picture of several fails alone; a single broken one is the answer's own error.
    """
    async with sent_pictures(request) as files:
        return await _predict(request, files, services, Asked(model, top_k, tta, keep))


async def _predict(request: Request, files: list[SentPicture], services: Services, asked: Asked) -> Predictions:
    _check_count(files, services.settings.max_predict_files)
    services.afterwards.check(asked.keep)
    served = await picked(services.predictor, asked.model, files[0])
    with services.telemetry.answering(served.version):
        with services.batcher.places(len(files) * (served.classifier.copies if asked.tta else 1)):
            async with services.decoding.of(request) as turn:
                each = (_entry(one, served, services, turn, asked) for one in files)
                found = await asyncio.gather(*each, return_exceptions=True)
        entries = [_alone(one, file, len(files)) for one, file in zip(found, files, strict=True)]
    return Predictions(model=model_of(served), tta=asked.tta, predictions=entries)


def _check_count(files: list[SentPicture], most: int) -> None:
    if len(files) > most:
        raise PayloadTooLarge(f"the request has {len(files)} files", f"Send at most {most} at a time.")


async def _entry(file: SentPicture, served: LoadedVersion, services: Services, turn: Turn, asked: Asked) -> Entry:
    """One picture's part of the answer: every picture that is answered comes by here."""
    classifier = served.classifier
    prepare = classifier.prepare_copies if asked.tta else lambda *picture: [classifier.prepare(*picture)]
    seen = services.afterwards.seen(prepare, asked.keep)
    outputs = await _outputs(file, seen, served, services, turn)
    said = answered(file.filename, outputs, served, asked.top_k)
    services.telemetry.note_top(served.version, said.probability)
    return services.afterwards.note(said, seen, version=served.version, asked=asked.model, keep=asked.keep)


async def _outputs(
    file: SentPicture, seen: Seen[list[Any]], served: LoadedVersion, services: Services, turn: Turn
) -> list[Output]:
    """What the model puts out for the picture, or for it and its copies."""
    classifier = served.classifier
    inputs = await turn.decoded(file, seen, services.image_limits)
    return await asyncio.gather(*(asyncio.wrap_future(services.batcher.submit(classifier, one)) for one in inputs))


def _alone(found: Entry | BaseException, file: SentPicture, count: int) -> Entry:
    """A broken picture of several fails alone; any other error is that of the request."""
    if isinstance(found, ImageRejected) and count > 1:
        return failed(file.filename, found)
    if isinstance(found, BaseException):
        raise found
    return found
