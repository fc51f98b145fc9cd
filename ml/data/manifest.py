"""What a dataset is: its items with their labels, what was left out and why, and the revision that names the whole.

Imports no torch, so that the API can read a manifest.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from statistics import median
from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator

from ml.config_rules import Strict
from ml.data.given_split import SIDES, Side
from ml.data.label_csv import MAX_NAME_CHARS, ListReport
from ml.data.label_rules import MAX_CHARS, rule_pattern
from ml.data.path_parts import folders_of, parts_of
from ml.data.similar_labels import similar_groups
from ml.decode.perceptual_hash import PATTERN as HASH_PATTERN

DEFAULT_REGEX = r"^(.+)_\d+\.[A-Za-z0-9]+$"
"""The usual names, whatever the format and the case of its suffix; only names of images are looked at."""
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
    "not_an_image": "of no image format",
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
    """How a file's path says its breed.

    Attributes:
        kind: a regex, the name of a folder, or a list of labels (CSV).
        regex: whose one group is the label; a manifest's own has been run already and is not looked at again.
        over: what the regex sees: the base name, or the whole path, which may begin with a slash.
        level: which folder: 1 is the first of the path, -1 the one that the file lies in; None: that one, but for the
            folders of a given split.
        csv: where in the data set the list lies; None: it is labels.csv, the only list, or was given beside.
        merge: whether labels that differ only in case or spaces are one.
    """

    kind: Literal["regex", "folder", "csv"] = "regex"
    regex: str = Field(DEFAULT_REGEX, min_length=1, max_length=MAX_CHARS)
    over: Literal["name", "path"] = "name"
    level: int | None = Field(None, ge=-32, le=32)
    csv: str | None = Field(None, min_length=1, max_length=MAX_NAME_CHARS)
    merge: bool = False

    def label_of(self, path: str) -> str | None:
        """The label of a relative posix path, or None where the rule finds none; lists of labels are read elsewhere."""
        if self.kind == "csv":
            return None
        if self.kind == "folder":
            return _folder_of(path, self.level or -1)
        pattern = rule_pattern(self.regex)
        return next(filter(None, map(pattern.label_in, self._texts(path))), None)

    def matches_in_any_case(self, path: str) -> bool:
        """Whether the regex would match if it ignored case."""
        return any(map(rule_pattern(self.regex, ignore_case=True).matches, self._texts(path)))

    def _texts(self, path: str) -> tuple[str, ...]:
        """What the regex is tried on, until it is found."""
        if self.over == "name":
            return parts_of(path)[-1:]
        # Rules for whole paths are usually written for ones that begin somewhere else, as in /([^/]+)_\d+.jpg$.
        return path, f"/{path}"


class Item(Strict):
    """One image. ``width`` and ``height`` are in pixels after the EXIF orientation, ``bytes`` is the file's size.

    ``perceptual_hash`` is ml.decode.perceptual_hash's; None in the manifests of imports that did not take it yet.
    ``split`` is its side of a given split.
    """

    path: str
    label: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    bytes: int = Field(ge=1)
    format: str
    mode: str
    perceptual_hash: str | None = Field(
        None,
        pattern=HASH_PATTERN,
        validation_alias=AliasChoices("perceptual_hash", "fingerprint"),  # which manifests of before call it
    )
    split: Side | None = None

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

    ``drawn`` says that the images are drawings, not photos. ``decoding`` is how they were read when it was made
    (``ml.decode.picture_limits``); manifests of before there was more than one way do not say it.
    """

    format_version: Literal[1] = 1
    decoding: int = Field(1, ge=1)
    name: str
    drawn: bool = False
    rule: LabelRule = LabelRule()
    items: tuple[Item, ...]
    exclusions: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()
    """What people should know of the labels, a sentence each."""
    label_list: ListReport | None = None

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
        """SHA-256 (hex) of the items' paths, labels, contents and given sides; nothing else counts."""
        # An item without a given side is written as it was before there were any.
        sides = [[item.split] if item.split else [] for item in self.items]
        content = [[item.path, item.label, item.sha256, *side] for item, side in zip(self.items, sides, strict=True)]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    def summary(self) -> dict[str, Any]:
        """Figures for people, ready for JSON.

        Returns:
            ``items``, ``breeds``, ``per_breed`` (breed → items), ``sizes`` ({width, height} → {min, median, max} in
            pixels), ``formats`` and ``modes`` (name → items), ``disguised`` ({count, examples: [{path, format}]}:
            files whose suffix lies, with what they really are) and ``exclusions`` (code → {count, examples: [{path,
            detail}]}), at most 20 examples each; ``split`` ({train, valid, test} → items of a given split, null where
            there is none), ``similar_labels`` (groups that differ only in case or spaces), ``label_list`` (of a list of
            labels: what was not used, each {count, examples}; null where there was none) and ``notes`` (sentences).
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
            "split": self.sides,
            "similar_labels": [list(group) for group in similar_groups(self.vocab)],
            "label_list": None if self.label_list is None else self.label_list.model_dump(mode="json"),
            "notes": list(self.notes),
        }

    @property
    def sides(self) -> dict[str, int] | None:
        """Items of each side of the given split; those of no side count as train. None where no split is given."""
        if not any(item.split for item in self.items):
            return None
        counts = Counter(item.split or "train" for item in self.items)
        return {side: counts[side] for side in SIDES}

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


def _folder_of(path: str, level: int) -> str | None:
    folders = folders_of(path)
    at = level - 1 if level > 0 else len(folders) + level
    return folders[at] if 0 <= at < len(folders) else None


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _spread(values: list[int]) -> dict[str, float]:
    if not values:
        return {}
    return {"min": min(values), "median": median(values), "max": max(values)}
