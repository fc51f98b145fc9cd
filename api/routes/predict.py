"""Predict: pictures in, breeds out."""

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray

from api.dependencies import Services, ServicesDep
from api.http.errors import hint_of
from api.schemas.predictions import (
    SURE_FROM,
    FailedPicture,
    Guess,
    PictureError,
    Prediction,
    Predictions,
    ServedModel,
)
from api.schemas.problem import problems
from api.serving.decoding import Turn
from api.serving.predictor import LoadedVersion
from api.serving.sent_pictures import REQUEST_BODY, SentPicture, sent_pictures
from ml.breeds import species_of
from ml.errors import ImageRejected
from store.db.registry import DEFAULT_ALIAS
from store.errors import PayloadTooLarge

router = APIRouter(tags=["predict"])

MAX_NAME = 255

Name = Annotated[str, Query(pattern=r"^([A-Za-z][A-Za-z0-9._-]{0,63}|[0-9]{1,18})$", description="alias or version")]


@router.post("/predict", openapi_extra=REQUEST_BODY, responses=problems(400, 404, 413, 415, 429))
async def predict(
    request: Request,
    services: ServicesDep,
    model: Name = DEFAULT_ALIAS,
    top_k: Annotated[int, Query(ge=1, le=1000)] = 5,
    tta: Annotated[bool, Query(description="average over four augmented copies and the plain picture")] = False,
) -> Predictions:
    """The breed in each picture, with the score of every breed.

    The pictures are parts `file` of a form; or the body is one picture, sent as image/jpeg and the like; or it is JSON
    with pictures in base64. One broken picture of several fails alone; a single broken one is the answer's own error.
    """
    async with sent_pictures(request) as file:
        return await _predict(request, file, services, model, top_k, tta=tta)


async def _predict(
    request: Request, file: list[SentPicture], services: Services, model: str, top_k: int, *, tta: bool
) -> Predictions:
    if len(file) > services.settings.max_predict_files:
        most = services.settings.max_predict_files
        raise PayloadTooLarge(f"the request has {len(file)} files", f"Send at most {most} at a time.")
    served = services.predictor.ready(model)
    if served is None:
        served = await run_in_threadpool(services.predictor.serve, model)
    row_of = _averaged_row if tta else _plain_row
    with services.batcher.places(len(file) * (served.classifier.copies if tta else 1)):
        async with services.decoding.of(request) as turn:
            rows = await asyncio.gather(*(row_of(one, served, services, turn) for one in file), return_exceptions=True)
    return _answer(file, rows, served, top_k, tta=tta)


async def _plain_row(file: SentPicture, served: LoadedVersion, services: Services, turn: Turn) -> NDArray[np.float32]:
    """The scores for one picture."""
    picture = await turn.decoded(file, served.classifier.prepare, services.image_limits)
    return served.classifier.scores([await asyncio.wrap_future(services.batcher.submit(served.classifier, picture))])


async def _averaged_row(
    file: SentPicture, served: LoadedVersion, services: Services, turn: Turn
) -> NDArray[np.float32]:
    """The scores for one picture, averaged over its copies."""
    copies = await turn.decoded(file, served.classifier.prepare_copies, services.image_limits)
    answers = [asyncio.wrap_future(services.batcher.submit(served.classifier, one)) for one in copies]
    return served.classifier.scores(await asyncio.gather(*answers))


def _answer(
    files: list[SentPicture],
    rows: list[NDArray[np.float32] | BaseException],
    served: LoadedVersion,
    top_k: int,
    *,
    tta: bool,
) -> Predictions:
    entries: list[Prediction | FailedPicture] = []
    for file, row in zip(files, rows, strict=True):
        name = file.filename[:MAX_NAME]
        if isinstance(row, ImageRejected) and len(files) > 1:
            told = PictureError(code=row.code, detail=row.detail, hint=hint_of(row))
            entries.append(FailedPicture(filename=name, error=told))
        elif isinstance(row, BaseException):
            raise row
        else:
            entries.append(_prediction(name, row, served.classifier.vocab, top_k))
    classifier = served.classifier
    about = ServedModel.of_loss(
        classifier.loss, version=served.version, run=served.run, arch=classifier.arch, drawn=classifier.drawn
    )
    return Predictions(model=about, tta=tta, predictions=entries)


def _prediction(filename: str, row: NDArray[np.float32], vocab: tuple[str, ...], top_k: int) -> Prediction:
    chances = [float(chance) for chance in row]
    # Stable, so that ties go to the first breed as they do in the validation.
    order = sorted(range(len(vocab)), key=lambda index: -chances[index])
    top = [Guess(breed=vocab[index], probability=chances[index]) for index in order[:top_k]]
    return Prediction(
        filename=filename,
        breed=top[0].breed,
        species=species_of(top[0].breed),
        probability=top[0].probability,
        sure=top[0].probability >= SURE_FROM,
        top=top,
        probabilities=dict(zip(vocab, chances, strict=True)),
    )
