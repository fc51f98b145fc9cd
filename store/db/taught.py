"""What people said of kept predictions, as photos with labels to learn from."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from store.db.kept_tables import KeptPhoto, KeptPrediction
from store.errors import Hint, Request, StateConflict

LeftOut = Literal["none_of_the_breeds", "no_photo"]


@dataclass(frozen=True)
class TaughtPhotos:
    """Photos that lie in the store, by sha256, each with its breed; and how many were left out, by the reason."""

    photos: dict[str, str]
    left_out: dict[LeftOut, int]


def taught_photos(session: Session, *, version: int | None = None, since: datetime | None = None) -> TaughtPhotos:
    """Every picture with feedback once, by the last word on it, of whichever prediction.

    Args:
        session: the caller's transaction.
        version: only what this version answered.
        since: only what was said then or later.
    """
    last = (
        select(KeptPrediction.sha256, KeptPrediction.feedback_breed, KeptPhoto.is_stored)
        .outerjoin(KeptPhoto, KeptPhoto.sha256 == KeptPrediction.sha256)
        .where(KeptPrediction.feedback_at.is_not(None))
        .ext(distinct_on(KeptPrediction.sha256))
        .order_by(KeptPrediction.sha256, KeptPrediction.feedback_at.desc(), KeptPrediction.number.desc())
    )
    if version is not None:
        last = last.where(KeptPrediction.version == version)
    if since is not None:
        last = last.where(KeptPrediction.feedback_at >= since)
    photos: dict[str, str] = {}
    left_out = Counter[LeftOut]()
    for sha256, breed, is_stored in session.execute(last):
        if breed is None:
            left_out["none_of_the_breeds"] += 1
        elif not is_stored:
            left_out["no_photo"] += 1
        else:
            photos[sha256] = breed
    return TaughtPhotos(photos, dict(left_out))


def nothing_taught(taught: TaughtPhotos) -> StateConflict:
    """The error where there is nothing to learn from."""
    told = taught.left_out.get("no_photo", 0), taught.left_out.get("none_of_the_breeds", 0)
    detail = (
        f"no kept photo has feedback that names a breed ({told[0]} without a photo, {told[1]} of none of the breeds)"
    )
    listed = Request("GET", "/predictions")
    return StateConflict(detail, Hint("Give feedback on predictions that were asked with keep=photo.", listed))
