"""What to label next, from the answers of a predict job."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

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
        rows = [row for row in map(json.loads, artifacts.get_bytes(file["key"]).splitlines()) if _is_whole(row)]
        breeds = list(rows[0]["probabilities"]) if rows else []
        scores = np.array([[row["probabilities"][breed] for breed in breeds] for row in rows], dtype=np.float64)
    except (ValueError, KeyError, TypeError) as error:
        detail = f"the answers of job {job} cannot be read: {error!r}"
        raise ArtifactMissing(detail, "Predict the photos again.") from error
    scores = scores.reshape(len(rows), len(breeds))
    chosen = (most_uncertain if by == "uncertain" else most_different)(scores, limit) if rows else []
    ahead = margins(scores) if rows else np.zeros(0)
    items = [
        LabelNextItem(
            path=rows[at]["path"],
            item=places.get(rows[at]["path"]),
            guesses=guesses_of([(breeds[int(one)], float(scores[at, one])) for one in _best(scores[at])]),
            margin=float(ahead[at]),
        )
        for at in chosen
    ]
    return LabelNext(job=job, by=by, measured_on="probabilities", of=len(rows), items=items)


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether the picture could be used and its scores are numbers."""
    return None not in row.get("probabilities", {None: None}).values()


def _best(scores: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    return [int(one) for one in np.argsort(-scores, kind="stable")[:TOP]]
