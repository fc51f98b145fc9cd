"""What kind of picture a file is, by its first bytes alone."""

import re

_KINDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg", ".jpg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png", ".png"),
    (re.compile(rb"GIF8[79]a"), "image/gif", ".gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp", ".webp"),
    (re.compile(rb"BM"), "image/bmp", ".bmp"),
    (re.compile(rb"II\*\0|MM\0\*"), "image/tiff", ".tif"),
    (re.compile(rb".{4}ftypavi[fs]", re.DOTALL), "image/avif", ".avif"),
    (re.compile(rb".{4}ftyp", re.DOTALL), "image/heic", ".heic"),
    (re.compile(rb"\0\0\0\x0cjP|\xff\x4f\xff\x51", re.DOTALL), "image/jp2", ".jp2"),
)
KINDS = (*(suffix.removeprefix(".") for _, _, suffix in _KINDS), "other")
"""What :func:`kind_of` counts to."""


def media_type_of(data: bytes) -> str:
    """As a browser is told it."""
    found = _kind_of(data)
    return "application/octet-stream" if found is None else _KINDS[found][1]


def suffix_of(data: bytes) -> str | None:
    """As a file's name has it, with the dot; None where it begins like no picture."""
    found = _kind_of(data)
    return None if found is None else _KINDS[found][2]


def kind_of(data: bytes) -> int:
    """The position in ``KINDS``."""
    found = _kind_of(data)
    return len(_KINDS) if found is None else found


def _kind_of(data: bytes) -> int | None:
    return next((number for number, (start, _, _) in enumerate(_KINDS) if start.match(data)), None)
