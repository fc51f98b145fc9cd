"""What a dataset is: its items with their labels, what was left out and why, and the revision that names the whole.

Imports no torch, so that the API can read a manifest.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from statistics import median
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ml.config import Strict
from ml.fingerprint import PATTERN as FINGERPRINT

DEFAULT_REGEX = r"(.+)_\d+.jpg$"
ExclusionCode = Literal[
    "no_label",
    "not_a_file",
    "not_an_image",
    "truncated",
    "too_many_pixels",
    "too_small",
    "too_many_bytes",
    "unsupported_pixels",
    "picture_too_costly",
]
EXAMPLES = 20
_REASONS: dict[ExclusionCode, str] = {
    "no_label": "without a label",
    "not_a_file": "other than a plain file",
    "not_an_image": "of no picture format",
    "truncated": "broken",
    "too_many_pixels": "of too many pixels",
    "too_small": "too small",
    "too_many_bytes": "of too many bytes",
    "unsupported_pixels": "with pixels of another kind",
    "picture_too_costly": "too costly to decode",
}
_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"},
    "PNG": {".png"},
    "GIF": {".gif"},
    "WEBP": {".webp"},
    "BMP": {".bmp", ".dib"},
    "TIFF": {".tif", ".tiff"},
    "HEIF": {".heic", ".heif", ".hif"},
    "AVIF": {".avif", ".heif"},
    "JPEG2000": {".jp2", ".j2k", ".jpx", ".j2c", ".jpc", ".jpf"},
}


class LabelRule(Strict):
    """How a file's path says its breed: a regex on the base name, or the name of the folder it lies in."""

    kind: Literal["regex", "folder"] = "regex"
    regex: str = Field(DEFAULT_REGEX, min_length=1, max_length=500, validate_default=True)

    @field_validator("regex")
    @classmethod
    def _has_one_group(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("kind") == "folder":
            return value
        try:
            groups = re.compile(value).groups
        except (re.error, OverflowError, RecursionError) as error:
            message = f"is not a regular expression: {error}"
            raise ValueError(message) from None
        if groups < 1:
            message = "needs one group, which is the label, as in (.+)_\\d+.jpg$"
            raise ValueError(message)
        return value

    def label_of(self, path: str) -> str | None:
        """The label of a relative posix path, or None where the rule finds none."""
        where = PurePosixPath(path)
        if self.kind == "folder":
            return where.parent.name or None
        found = re.search(self.regex, where.name)
        return (found.group(1) or None) if found else None


class Item(Strict):
    """One picture. ``width`` and ``height`` are in pixels after the EXIF orientation, ``bytes`` is the file's size.

    ``fingerprint`` is ml.fingerprint's; None in the manifests of imports that did not take it yet.
    """

    path: str
    label: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    bytes: int = Field(ge=1)
    format: str
    mode: str
    fingerprint: str | None = Field(None, pattern=FINGERPRINT)

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        # A manifest may come from an artifact store: its paths are joined to a folder, so they are checked here.
        path = PurePosixPath(value)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in value:
            message = f"{value!r} is not a path inside the dataset"
            raise ValueError(message)
        return value

    @property
    def disguised(self) -> bool:
        """Whether the file's suffix names another format than its bytes are."""
        suffix = PurePosixPath(self.path).suffix.lower()
        return suffix not in _SUFFIXES.get(self.format, {suffix})


class Exclusion(Strict):
    """A file that is no item, with the reason; bytes of a name that are not UTF-8 are shown in hexadecimal."""

    path: str
    code: ExclusionCode
    detail: str


class Manifest(Strict):
    """A dataset's content.

    ``drawn`` says that the pictures are drawings, not photos. ``decoding`` is how they were read when it was made
    (``ml.picture_limits``); manifests of before there was more than one way do not say it.
    """

    format_version: Literal[1] = 1
    decoding: int = Field(1, ge=1)
    name: str
    drawn: bool = False
    rule: LabelRule = LabelRule()
    items: tuple[Item, ...]
    exclusions: tuple[Exclusion, ...] = ()

    @field_validator("items")
    @classmethod
    def _sorted_by_path(cls, items: tuple[Item, ...]) -> tuple[Item, ...]:
        # The split is drawn over positions: another order would be another split under the same seed.
        if any(a.path >= b.path for a, b in pairwise(items)):
            message = "items must be sorted by path, each path once"
            raise ValueError(message)
        return items

    @cached_property
    def vocab(self) -> tuple[str, ...]:
        """Sorted unique labels (by code point); a label's position is its class."""
        return tuple(sorted({item.label for item in self.items}))

    @cached_property
    def revision(self) -> str:
        """SHA-256 (hex) of the items' paths, labels and contents; name, exclusions and fingerprints do not count."""
        content = [[item.path, item.label, item.sha256] for item in self.items]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    def summary(self) -> dict[str, Any]:
        """Figures for people, ready for JSON.

        Returns:
            ``items``, ``breeds``, ``per_breed`` (breed → items), ``sizes`` ({width, height} → {min, median, max} in
            pixels), ``formats`` and ``modes`` (name → items), ``disguised`` ({count, examples: [{path, format}]}:
            files whose suffix lies, with what they really are) and ``exclusions`` (code → {count, examples: [{path,
            detail}]}), at most 20 examples each.
        """
        return {
            "items": len(self.items),
            "breeds": len(self.vocab),
            "per_breed": _counted(item.label for item in self.items),
            "sizes": {
                "width": _spread([item.width for item in self.items]),
                "height": _spread([item.height for item in self.items]),
            },
            "formats": _counted(item.format for item in self.items),
            "modes": _counted(item.mode for item in self.items),
            "disguised": self._disguised(),
            "exclusions": self._excluded(),
        }

    def left_out(self) -> str | None:
        """How many files are no items, and why, in a line; None where all are."""
        if not self.exclusions:
            return None
        found = Counter(exclusion.code for exclusion in self.exclusions).most_common()
        reasons = ", ".join(f"{count} {_REASONS[code]}" for code, count in found)
        return f"{len(self.exclusions)} {'file' if len(self.exclusions) == 1 else 'files'} left out: {reasons}"

    def _disguised(self) -> dict[str, Any]:
        found = [{"path": item.path, "format": item.format} for item in self.items if item.disguised]
        return {"count": len(found), "examples": found[:EXAMPLES]}

    def _excluded(self) -> dict[str, Any]:
        found: dict[str, dict[str, Any]] = {}
        for exclusion in self.exclusions:
            entry = found.setdefault(exclusion.code, {"count": 0, "examples": []})
            entry["count"] += 1
            if len(entry["examples"]) < EXAMPLES:
                entry["examples"].append({"path": exclusion.path, "detail": exclusion.detail})
        return found


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _spread(values: list[int]) -> dict[str, float]:
    if not values:
        return {}
    return {"min": min(values), "median": median(values), "max": max(values)}
