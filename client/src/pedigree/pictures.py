"""Pictures on their way to a prediction: a path, bytes, or what Pillow has opened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from pedigree.errors import PedigreeError

AT_ONCE = 32
"""Pictures in one request."""


@runtime_checkable
class OpenedPicture(Protocol):
    """A ``PIL.Image.Image``; Pillow itself is not needed."""

    @property
    def mode(self) -> str:
        """Pillow's word for its channels, such as RGB or L."""

    def save(self, fp: Any, format: str | None) -> None:  # noqa: A002, ANN401  # Pillow's own words
        """Write its bytes in a format of Pillow's to an open file."""

    def convert(self, mode: str) -> "OpenedPicture":
        """The same in another mode, as a new image."""


Picture: TypeAlias = str | PathLike[str] | bytes | OpenedPicture
Form = list[tuple[str, tuple[str, bytes]]]
PNG_MODES = {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}


@dataclass(frozen=True)
class PictureFile:
    """A picture's name and content."""

    name: str
    content: bytes


def is_one(pictures: object) -> bool:
    """Whether this is a picture, and not several."""
    return isinstance(pictures, str | PathLike | bytes | OpenedPicture)


def read(picture: Picture, number: int) -> PictureFile:
    """A picture's bytes.

    Raises:
        PedigreeError: the file cannot be read.
    """
    if isinstance(picture, bytes):
        return PictureFile(f"picture-{number}", picture)
    if isinstance(picture, str | PathLike):
        path = Path(fspath(picture)).expanduser()
        try:
            # A name that is no text in UTF-8 goes with a question mark for what is none.
            return PictureFile(path.name.encode("utf-8", "replace").decode(), path.read_bytes())
        except OSError as error:
            hint = "Give the path of a picture; datasets.add() takes a folder."
            raise PedigreeError(f"{path} cannot be read: {error.strerror}", code="unreadable", hint=hint) from None
    return PictureFile(f"picture-{number}.png", _as_png(picture))


def in_parts(pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    """So many as go into one request."""
    for start in range(0, len(pictures), AT_ONCE):
        yield list(pictures[start : start + AT_ONCE])


def form_of(pictures: Sequence[Picture], first: int) -> Form:
    """The files of one request; ``first`` is the number of its first picture."""
    sent = [read(picture, first + number) for number, picture in enumerate(pictures)]
    return [("file", (one.name, one.content)) for one in sent]


def _as_png(picture: OpenedPicture) -> bytes:
    """Without loss; colours that PNG does not have become RGB."""
    out = BytesIO()
    shown = picture if picture.mode in PNG_MODES else picture.convert("RGB")
    shown.save(out, "PNG")
    return out.getvalue()
