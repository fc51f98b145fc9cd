"""What is read of a form in one go is what the library reads of it; all else is left to the library."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.serving.plain_forms import MOST_PARTS, boundary_of, plain_parts

ONE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
TEXT = b'--b\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n'
TOKENS = [ONE, TEXT, b"--b", b"--b--", b"\r\n", b"\n", b"\r", b"--", b"b", b"", b"photo\r\n", b"\r\n--b\r\n"]
TOKENS += [
    b'Content-Disposition: form-data; name="file"',
    b"Content-Transfer-Encoding: base64",
    b": ",
    b'"',
    b"\r\n\r\n",
]


def by_library(body: bytes) -> list[tuple[str, str | None, bytes]] | None:
    """Name, file name and content of each part; None where it is no form."""

    async def stream() -> AsyncIterator[bytes]:
        yield body

    ended = []

    class Parser(MultiPartParser):
        def on_end(self) -> None:
            ended.append(True)

    async def read() -> list[tuple[str, str | None, bytes]]:
        headers = Headers({"content-type": "multipart/form-data; boundary=b"})
        form = await Parser(headers, cast("Any", stream())).parse()
        found = [
            (name, part.filename, part.file.read()) if isinstance(part, UploadFile) else (name, None, part.encode())
            for name, part in form.multi_items()
        ]
        await form.close()
        return found

    try:
        found = asyncio.run(read())
    except (MultiPartException, UnicodeError):
        return None
    return found if ended else None


def in_one_go(body: bytes) -> list[tuple[str, str | None, bytes]] | None:
    parts = plain_parts(body, b"b")
    return None if parts is None else [(one.name, one.filename, body[one.start : one.end]) for one in parts]


@pytest.mark.parametrize(
    "body",
    [
        ONE + b"photo\r\n--b--\r\n",
        ONE + b"photo\r\n--b--",
        ONE + b"\r\n--b--\r\n",
        ONE + b"line\r\n\r\nline\r\n--c\r\n--b--\r\n",
        ONE + b"one\r\n" + ONE + b"two\r\n" + TEXT + b"5\r\n--b--\r\n",
        ONE.replace(b"a.jpg", "Käfer.jpg".encode()) + b"x\r\n--b--\r\n",
        ONE.replace(b"a.jpg", b"K\xe4fer.jpg") + b"x\r\n--b--\r\n",
        ONE.replace(b"a.jpg", b"") + b"x\r\n--b--\r\n",
    ],
)
def test_a_plain_form_is_read_as_the_library_reads_it(body: bytes) -> None:
    assert in_one_go(body) is not None
    assert in_one_go(body) == by_library(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--\r\n",
        ONE + b"photo",
        ONE + b"photo\r\n--b",
        ONE + b"photo\r\n--bc\r\n--b--\r\n",
        ONE + b"photo\r\n--b--\r\nmore",
        ONE + b"photo\r\n--b \r\n" + TEXT + b"\r\n--b--\r\n",
        b"before\r\n" + ONE + b"photo\r\n--b--\r\n",
        ONE.replace(b'"a.jpg"', b"a.jpg") + b"photo\r\n--b--\r\n",
        ONE.replace(b"a.jpg", b"a\\b.jpg") + b"photo\r\n--b--\r\n",
        ONE.replace(b"filename", b"filename*") + b"photo\r\n--b--\r\n",
        ONE.replace(b"Content-Type", b"X-Other") + b"photo\r\n--b--\r\n",
        ONE.replace(b"Content-Type", b"Content-Disposition") + b"photo\r\n--b--\r\n",
        b"--b\r\n" + b"x" * 5000 + b"\r\n\r\nphoto\r\n--b--\r\n",
        (TEXT + b"\r\n") * (MOST_PARTS + 1) + b"--b--\r\n",
    ],
)
def test_anything_else_is_left_to_the_library(body: bytes) -> None:
    assert in_one_go(body) is None


@given(st.lists(st.sampled_from(TOKENS), max_size=12).map(b"".join))
def test_there_is_no_second_meaning_of_a_form(body: bytes) -> None:
    found = in_one_go(body)
    assert found is None or found == by_library(body)


@pytest.mark.parametrize(
    ("said", "boundary"),
    [
        ("multipart/form-data; boundary=----WebKitFormBoundaryAbC", b"----WebKitFormBoundaryAbC"),
        ("multipart/form-data;boundary=b", b"b"),
        ('multipart/form-data; boundary="b"', None),
        ("multipart/form-data; charset=latin-1; boundary=b", None),
        ("multipart/form-data; boundary=b; charset=latin-1", None),
        ("multipart/form-data", None),
        (f"multipart/form-data; boundary={'b' * 71}", None),
    ],
)
def test_a_boundary_is_taken_where_it_is_plain(said: str, boundary: bytes | None) -> None:
    assert boundary_of(said) == boundary
