"""Kept photos as items of a dataset."""

from pathlib import Path
from typing import Literal

from ml.data.manifest import Item
from ml.data.scan import item_of
from ml.decode.image_kind import suffix_of
from ml.errors import ImageRejected
from store.errors import ArtifactMissing
from store.keys import photo_key
from worker.attempt import Attempt

FOLDER = "feedback"
"""Of such items, in the dataset."""


def kept_item(attempt: Attempt, sha256: str, label: str, decoding: int) -> Item | Literal["no_photo", "unusable"]:
    """A photo as an item, its bytes put at :func:`place_of`; or why it is none."""
    try:
        data = attempt.stored(lambda artifacts: artifacts.get_bytes(photo_key(sha256)))
    except ArtifactMissing:
        return "no_photo"  # it was forgotten since the record was read
    try:
        suffix = suffix_of(data)
        if suffix is None:
            return "unusable"
        item = item_of(data, f"{FOLDER}/{sha256}{suffix}", label, attempt.limits, decoding)
    except ImageRejected:
        return "unusable"
    if item.sha256 != sha256:
        return "no_photo"  # the store lost it
    place = place_of(attempt, sha256)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    return item


def place_of(attempt: Attempt, sha256: str) -> Path:
    """Where in the work folder a photo's bytes lie."""
    return attempt.work / FOLDER / sha256
