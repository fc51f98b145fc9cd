"""What to label next, from the answers of a predict job."""

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from api.schemas.review import LabelNext, LabelNextItem, guesses_of
from ml.reading.label_next import margins, most_different, most_uncertain
from store.artifacts import ArtifactStore
from store.errors import ArtifactMissing, InvalidRequest

MOST_BYTES = 1 << 26
MOST_LINE_BYTES = 1 << 20
TOP = 5


@dataclass(frozen=True)
class Labelled:
    """An item of the dataset that the pictures are of: its position, and the label that it has."""

    item: int
    label: str
    image: str


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of a predict job are: items of a dataset by their path, or in an upload that is still kept."""

    items: Mapping[str, Labelled] = field(default_factory=dict)
    dataset: str | None = None
    revision: str | None = None
    upload: str | None = None

    def image(self, path: str) -> str | None:
        """Where the picture itself is; None where it is gone."""
        if path in self.items:
            return self.items[path].image
        return None if self.upload is None else f"/uploads/{self.upload}/photo?path={quote(path, safe='')}"


def next_to_label(
    artifacts: ArtifactStore,
    job: int,
    file: Mapping[str, Any],
    pictures: Pictures,
    by: Literal["uncertain", "different"],
    limit: int,
) -> LabelNext:
    """Choose among the pictures that could be used.

    Args:
        artifacts: where the answers lie.
        job: the predict job.
        file: the record of its answers as lines of JSON.
        pictures: where they are.
        by: what they are chosen by.
        limit: how many.

    Raises:
        InvalidRequest: the answers are more than can be looked through here.
        ArtifactMissing: they are gone, or are not what the record says.
        ServiceUnavailable: the artifact store does not answer.
    """
    if file["bytes"] > MOST_BYTES:
        detail = f"the answers of job {job} have {file['bytes']} bytes, at most {MOST_BYTES} are looked through here"
        raise InvalidRequest(detail, "Predict a smaller folder.")
    answers = _read(artifacts, job, file)
    scores, paths = answers.scores(), answers.paths
    chosen = (most_uncertain if by == "uncertain" else most_different)(scores, limit) if paths else []
    ahead = margins(scores) if paths else np.zeros(0)
    return LabelNext(
        job=job,
        by=by,
        measured_on="probabilities",
        of=len(paths),
        dataset=pictures.dataset,
        revision=pictures.revision,
        upload=pictures.upload,
        vocab=answers.breeds,
        items=[_item(paths[at], scores[at], float(ahead[at]), answers.breeds, pictures) for at in chosen],
    )


@dataclass
class _Answers:
    """The pictures that could be used, and their probabilities one after the other."""

    breeds: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, row: Mapping[str, Any]) -> None:
        found = row["probabilities"]
        self.breeds = self.breeds or list(found)
        self.values.extend(float(found[breed]) for breed in self.breeds)
        self.paths.append(str(row["path"]))

    def scores(self) -> NDArray[np.float64]:
        """The probabilities, [pictures, breeds]."""
        return np.frombuffer(self.values, dtype=np.float64).reshape(len(self.paths), len(self.breeds))


def _read(artifacts: ArtifactStore, job: int, file: Mapping[str, Any]) -> _Answers:
    answers = _Answers()
    try:
        for line in _lines(artifacts, file):
            row = json.loads(line)
            if _is_whole(row):
                answers.add(row)
    except (ValueError, KeyError, TypeError) as error:
        detail = f"the answers of job {job} cannot be read: {error!r}"
        raise ArtifactMissing(detail, "Predict the photos again.") from error
    return answers


def _lines(artifacts: ArtifactStore, file: Mapping[str, Any]) -> Iterator[bytes]:
    """The lines of a file, of which one piece is in memory at a time."""
    rest = b""
    for piece in artifacts.pieces(file["key"], file["bytes"]):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > MOST_LINE_BYTES:
            raise ValueError(f"a line has more than {MOST_LINE_BYTES} bytes")
    if rest:
        yield rest


def _item(
    path: str, scores: NDArray[np.float64], margin: float, breeds: list[str], pictures: Pictures
) -> LabelNextItem:
    known = pictures.items.get(path)
    return LabelNextItem(
        path=path,
        item=None if known is None else known.item,
        label=None if known is None else known.label,
        image=pictures.image(path),
        guesses=guesses_of([(breeds[int(one)], float(scores[one])) for one in _best(scores)]),
        margin=margin,
    )


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether the picture could be used, its scores are numbers, and its path can be told."""
    return None not in row.get("probabilities", {None: None}).values() and _can_be_told(row["path"])


def _can_be_told(path: str) -> bool:
    """Whether it is all letters: other bytes in a file's name are no text that an answer can hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


def _best(scores: NDArray[np.float64]) -> list[int]:
    return [int(one) for one in np.argsort(-scores, kind="stable")[:TOP]]
