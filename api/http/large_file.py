"""Scripts of megabytes that change only with the package that brings them: packed once, and kept by browsers."""

import gzip
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse, Response

from api.http.accepts import accepted

DAY = {"Cache-Control": "private, max-age=86400"}
_LEVEL = 6


class _InFewPieces(FileResponse):
    """Each piece is a turn of a thread, and a busy machine has few to spare."""

    chunk_size = 1024 * 1024


def large_file(request: Request, path: Path, media_type: str, headers: Mapping[str, str] = DAY) -> Response:
    """The file, packed where the caller takes that: a third of the bytes. Called in a thread."""
    if not accepted(request.headers.get("accept-encoding", "")).get("gzip"):
        return _InFewPieces(path, media_type=media_type, headers={**headers, "Vary": "Accept-Encoding"})
    packing = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(_packed(path), media_type=media_type, headers={**headers, **packing})


@lru_cache(8)
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), _LEVEL, mtime=0)
