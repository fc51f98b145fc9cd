"""A picture's part of the answer of POST /predict, from what the model put out for it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from api.http.errors import hint_of
from api.schemas.predictions import (
    SURE_FROM,
    AnsweredBy,
    FailedPicture,
    Guess,
    PictureError,
    Prediction,
    ServedModel,
)
from api.serving.predictor import LoadedVersion
from ml.breeds import species_of
from ml.errors import ImageRejected
from ml.serve.outputs import Output

MAX_NAME = 255

Entry = Prediction | FailedPicture


def model_of(served: LoadedVersion) -> ServedModel:
    """Which model answered."""
    about = served.classifier
    return ServedModel.of_loss(about.loss, version=served.version, run=served.run, arch=about.arch, drawn=about.drawn)


def answered(filename: str, outputs: Sequence[Output], served: LoadedVersion, top_k: int) -> Prediction:
    """The breed in a picture.

    Args:
        filename: as it was sent.
        outputs: of the picture, or of it and its copies.
        served: the model that put them out.
        top_k: how many of the likeliest breeds ``top`` lists.
    """
    return prediction(filename, served.classifier.scores(outputs), served.classifier.vocab, top_k)


def prediction(filename: str, row: NDArray[np.float32], vocab: tuple[str, ...], top_k: int) -> Prediction:
    """The answer for a row of scores, [classes]."""
    chances = [float(chance) for chance in row]
    # Stable, so that ties go to the first breed as they do in the validation.
    order = sorted(range(len(vocab)), key=lambda index: -chances[index])
    top = [Guess(breed=vocab[index], probability=chances[index]) for index in order[:top_k]]
    return Prediction(
        filename=filename[:MAX_NAME],
        breed=top[0].breed,
        species=species_of(top[0].breed),
        probability=top[0].probability,
        sure=top[0].probability >= SURE_FROM,
        top=top,
        probabilities=dict(zip(vocab, chances, strict=True)),
    )


def failed(filename: str, error: ImageRejected) -> FailedPicture:
    """One broken picture of several."""
    told = PictureError(code=error.code, detail=error.detail, hint=hint_of(error))
    return FailedPicture(filename=filename[:MAX_NAME], error=told)


def whole(about: AnsweredBy, entries: Sequence[bytes]) -> bytes:
    """The JSON of ``Predictions``, from its entries as they were written one by one."""
    # Written here and not by pydantic: the loop, which joins them, need not look at every probability again.
    return about.model_dump_json().encode()[:-1] + b',"predictions":[' + b",".join(entries) + b"]}"


def written(entry: Entry) -> bytes:
    """The JSON of a picture's part."""
    return entry.model_dump_json().encode()
