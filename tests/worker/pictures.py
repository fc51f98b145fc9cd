"""Tiny archives of real pictures, and the jobs that import them."""

import io
import zipfile
from collections.abc import Iterable

from PIL import Image
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.base import Json
from store.db.jobs import create_job
from store.keys import new_upload_key

RULE = {"kind": "regex", "regex": r"(.+)_\d+.jpg$"}
COLOURS = {"Birman": (200, 60, 40), "pug": (40, 80, 200)}
MORE = {"collie": (60, 200, 60)}
"""Breeds that the usual archive has not."""


def picture(breed: str, number: int, side: int = 40) -> bytes:
    """A JPEG in the breed's colour, each a little different."""
    drift = number * 7 % 40 - 20
    colour = tuple(max(0, min(255, part + drift)) for part in (COLOURS | MORE)[breed])
    out = io.BytesIO()
    Image.new("RGB", (side, side + number % 5), colour).save(out, "JPEG")
    return out.getvalue()


def archive(per_breed: int = 3, breeds: Iterable[str] = COLOURS, folder: str = "photos") -> bytes:
    """A zip whose only entry is one folder with the pictures."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as pack:
        for breed in breeds:
            for number in range(per_breed):
                pack.writestr(f"{folder}/{breed}_{number}.jpg", picture(breed, number))
    return out.getvalue()


def queue_import(
    sessions: sessionmaker[Session],
    artifacts: ArtifactStore,
    upload: bytes,
    *,
    max_attempts: int = 3,
    rule: Json | None = None,
    name: str = "pets",
    **source: str,
) -> tuple[int, str]:
    """An import job of an uploaded archive, not yet published; its id and the upload's key.

    ``source`` is what else the job's payload says of it.
    """
    key = new_upload_key()
    artifacts.put_bytes(key, upload)
    payload = {"name": name, "source": {"kind": "archive", "key": key, **source}, "rule": rule or RULE}
    with sessions.begin() as session:
        return create_job(session, kind="import", payload=payload, max_attempts=max_attempts).id, key
