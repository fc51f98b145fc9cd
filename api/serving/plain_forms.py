"""Forms as common clients write them, looked through in memory at once. Any other is left to the library for all forms.

curl, browsers, httpx and requests name a part in one way and put nothing around the boundaries. Where that does not
hold, nothing is guessed here: there is no second set of rules for what a form may be.
"""

import re
from dataclasses import dataclass

MOST_PARTS = 256
_MOST_HEAD = 2048
_BOUNDARY = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})")
_DISPOSITION = re.compile(rb'form-data; name="([^"\\\r\n]*)"(?:; filename="([^"\\\r\n]*)")?')


@dataclass(frozen=True, slots=True)
class PlainPart:
    """Where a part's bytes lie in the body, and what its head says; ``filename`` is None where it is no file."""

    name: str
    filename: str | None
    encoding: str
    start: int
    end: int


def boundary_of(content_type: str) -> bytes | None:
    """What parts the form, where its type is written plainly."""
    found = _BOUNDARY.fullmatch(content_type)
    return found[1].encode("ascii") if found else None


def plain_parts(body: bytes, boundary: bytes) -> list[PlainPart] | None:
    """Every part of a whole form; None where it is not written plainly, and may be none."""
    first, between = b"--" + boundary + b"\r\n", b"\r\n--" + boundary
    if not body.startswith(first):
        return None
    parts: list[PlainPart] = []
    at = len(first)
    while len(parts) < MOST_PARTS:
        head_end = body.find(b"\r\n\r\n", at, at + _MOST_HEAD)
        end = body.find(between, head_end + 4) if head_end >= 0 else -1
        part = _part(body[at:head_end], head_end + 4, end) if end >= 0 else None
        if part is None:
            return None
        parts.append(part)
        at = end + len(between) + 2
        if body[at - 2 : at] == b"--":
            return parts if body[at:] in {b"", b"\r\n"} else None
        if body[at - 2 : at] != b"\r\n":
            return None
    return None


def _part(head: bytes, start: int, end: int) -> PlainPart | None:
    named: re.Match[bytes] | None = None
    encoding = ""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-disposition" if named is None:
                named = _DISPOSITION.fullmatch(value.strip())
            case b"content-transfer-encoding":
                encoding = value.strip().decode("latin-1")
            case b"content-type" | b"content-length":
                continue
            case _:
                return None
    if named is None:
        return None
    return PlainPart(_text(named[1]), None if named[2] is None else _text(named[2]), encoding, start, end)


def _text(written: bytes) -> str:
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("latin-1")
