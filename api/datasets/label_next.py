"""What to label next, from the answers of a predict job."""

import io
import json
from array import array
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from api.schemas.review import LabelNext, LabelNextItem, guesses_of
from ml.reading.label_next import margins, most_different, most_uncertain
from store.artifacts import ArtifactStore
from store.errors import ArtifactMissing, InvalidRequest

MOST_BYTES = 1 << 26
TOP = 5


def next_to_label(
    artifacts: ArtifactStore,
    job: int,
    file: Mapping[str, Any],
    places: Mapping[str, int],
    by: Literal["uncertain", "different"],
    limit: int,
) -> LabelNext:
    """Choose among the pictures that could be used.

    Args:
        artifacts: where the answers lie.
        job: the predict job.
        file: the record of its answers as lines of JSON.
        places: from path to position, where the pictures are a dataset's.
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
    try:
        paths, breeds, scores = _read(artifacts.get_bytes(file["key"]))
    except (ValueError, KeyError, TypeError) as error:
        detail = f"the answers of job {job} cannot be read: {error!r}"
        raise ArtifactMissing(detail, "Predict the pictures again.") from error
    chosen = (most_uncertain if by == "uncertain" else most_different)(scores, limit) if paths else []
    ahead = margins(scores) if paths else np.zeros(0)
    items = [
        LabelNextItem(
            path=paths[at],
            item=places.get(paths[at]),
            guesses=guesses_of([(breeds[int(one)], float(scores[at, one])) for one in _best(scores[at])]),
            margin=float(ahead[at]),
        )
        for at in chosen
    ]
    return LabelNext(job=job, by=by, measured_on="probabilities", of=len(paths), items=items)


def _read(lines: bytes) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Paths, breeds and scores [pictures, breeds] of the pictures that could be used, a line in memory at a time."""
    paths: list[str] = []
    breeds: list[str] = []
    table = array("d")
    for row in map(json.loads, io.BytesIO(lines)):
        if _is_whole(row):
            breeds = breeds or list(row["probabilities"])
            paths.append(row["path"])
            table.extend([row["probabilities"][breed] for breed in breeds])
    return paths, breeds, np.array(table).reshape(len(paths), len(breeds))


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether the picture could be used and its scores are numbers."""
    return None not in row.get("probabilities", {None: None}).values()


def _best(scores: NDArray[np.float64]) -> list[int]:
    return [int(one) for one in np.argsort(-scores, kind="stable")[:TOP]]
