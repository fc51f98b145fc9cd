"""What a caller takes, by the qualities of RFC 9110."""

from pathlib import Path

import pytest
from fastapi import Request

from api.http.accepts import accepted
from api.http.large_file import large_file


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("", {}),
        ("gzip", {"gzip": 1.0}),
        ("gzip;q=0, br", {"gzip": 0.0, "br": 1.0}),
        ("Text/CSV ; charset=utf-8 ; Q=0.5, */*;q=0.1", {"text/csv": 0.5, "*/*": 0.1}),
        ("gzip;q=high", {"gzip": 0.0}),
        ("gzip;q=7", {"gzip": 1.0}),
        ("gzip;q=nan", {"gzip": 0.0}),
        (",;q=1,", {"": 1.0}),
    ],
)
def test_each_name_has_its_quality(header: str, taken: dict[str, float]) -> None:
    assert accepted(header) == taken


@pytest.mark.parametrize(
    ("header", "packing"), [("gzip", "gzip"), ("br, gzip;q=0.3", "gzip"), ("gzip;q=0", None), ("br", None)]
)
def test_a_large_file_is_packed_for_who_takes_that(tmp_path: Path, header: str, packing: str | None) -> None:
    file = tmp_path / "large.js"
    file.write_text("let a = 1;")
    request = Request({"type": "http", "headers": [(b"accept-encoding", header.encode())]})
    assert large_file(request, file, "text/javascript").headers.get("content-encoding") == packing
