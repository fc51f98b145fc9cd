"""A picture's part of the answer of POST /predict, from what the model put out for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.http.errors import hint_of
from api.schemas.predictions import (
    AnsweredBy,
    FailedPicture,
    Guess,
    PictureError,
    Prediction,
    ServedModel,
    SetCoverage,
)
from api.serving.predictor import LoadedVersion
from api.serving.sentences import sentence
from ml.breeds import species_of
from ml.errors import ImageRejected
from ml.judge.sets import breeds_in, pictures_for
from ml.serve.judgement import JudgedScores
from ml.serve.outputs import Output
from store.errors import NotReady

MAX_NAME = 255
_NAMED = 3

Entry = Prediction | FailedPicture


@dataclass(frozen=True)
class Terms:
    """What an answer is to hold: so many of the likeliest breeds, and sets of a coverage (None: no sets).

    ``refused_share`` of known pictures may be taken for unknown.
    """

    top_k: int
    refused_share: float
    coverage: float | None = None


def model_of(served: LoadedVersion) -> ServedModel:
    """Which model answered."""
    about = served.classifier
    return ServedModel.of_loss(
        about.loss,
        version=served.version,
        run=served.run,
        arch=about.arch,
        drawn=about.drawn,
        calibrated=about.judgement is not None and about.judgement.pictures > 0,
    )


def coverage_of(served: LoadedVersion, coverage: float | None) -> SetCoverage | None:
    """What the sets of a model are worth.

    Raises:
        NotReady: they were asked for, and the run left nothing to work them out from.
    """
    if coverage is None:
        return None
    judgement = served.classifier.judgement
    if judgement is None:
        detail = f"run {served.run}, of version {served.version}, left nothing to work out sets of breeds from"
        raise NotReady(detail, "Leave coverage out, or train the run again.")
    note, least = None, pictures_for(coverage)
    if judgement.pictures < least:
        few = f"{judgement.pictures} validation photos are too few for a coverage of {coverage:g}"
        note = f"{few}, which takes {least}: each set has all breeds"
    return SetCoverage(asked=coverage, photos=judgement.pictures, note=note)


def answered(filename: str, outputs: Sequence[Output], served: LoadedVersion, terms: Terms) -> Prediction:
    """The breed in a picture.

    Args:
        filename: as it was sent.
        outputs: of the picture, or of it and its copies.
        served: the model that put them out.
        terms: what the answer is to hold.
    """
    classifier = served.classifier
    judged = classifier.judge(outputs)
    found = None
    if terms.coverage is not None and classifier.judgement is not None:
        found = breeds_in(judged.plain, classifier.judgement.least_probability(terms.coverage))
    return prediction(filename, judged, found, classifier.vocab, terms)


def prediction(
    filename: str, judged: JudgedScores, found: list[int] | None, vocab: tuple[str, ...], terms: Terms
) -> Prediction:
    """The answer for a picture that was judged; ``found`` has the classes of its set."""
    calibrated, raw = judged.probabilities.tolist(), judged.raw.tolist()
    order = judged.order
    top = [Guess(breed=vocab[i], probability=calibrated[i]) for i in order[: terms.top_k]]
    first = order[0]
    known, sure = judged.known(terms.refused_share), judged.sure(terms.refused_share)
    return Prediction(
        filename=filename[:MAX_NAME],
        breed=vocab[first],
        species=species_of(vocab[first]),
        probability=calibrated[first],
        raw_probability=raw[first],
        sure=sure,
        known=known,
        known_score=judged.known_score,
        sentence=sentence(_guesses(order[:_NAMED], calibrated, vocab), len(vocab), sure=sure, known=known),
        set=None if found is None else [vocab[i] for i in found],
        top=top,
        probabilities=dict(zip(vocab, calibrated, strict=True)),
        raw_probabilities=dict(zip(vocab, raw, strict=True)),
    )


def _guesses(order: list[int], probabilities: list[float], vocab: tuple[str, ...]) -> list[tuple[str, float]]:
    return [(vocab[i], probabilities[i]) for i in order]


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
