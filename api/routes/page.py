"""The page below ``/ui``: package files, and Plotly's script as its package brings it; nothing from elsewhere."""

import gzip
import posixpath
import re
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from api.http.accepts import accepted
from api.http.large_file import large_file
from store.errors import NotFound

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent.parent / "page"
PLOTLY = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
KINDS = {".js": "text/javascript", ".css": "text/css"}
ASSETS = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.glob("*/*") if path.suffix in KINDS}
STATIC = StaticFiles(directory=FOLDER)
CONTENT = {name: path.read_bytes() for name, path in ASSETS.items()}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in CONTENT.items()}
DIGEST = blake2b(b"".join(name.encode() + CONTENT[name] for name in sorted(CONTENT)), digest_size=8).hexdigest()
FRESH = {"Cache-Control": "no-cache"}
"""The files belong together: a browser asks whether they have changed."""
KEPT = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
"""Of files at an address that names what is in all of them: a browser never asks for these again."""
STYLE_LINK = '<link rel="stylesheet" href="{{files}}/%s"%s>'
AHEAD = '<link rel="modulepreload" href="{{files}}/%s">'
"""Without it a browser learns of a module from the one that takes it, some of them five deep."""
TAKES = re.compile(r'\bfrom "(\.{1,2}/[^"]+)"')
FOLDERS = {"": ("home",), "runs": ("runs", "run"), "data": ("data", "review"), "searches": ("study",)}
"""Of the page's modules those that show what lies below a path, where the folder is not called as the path is."""
FILES = f"{{{{up}}}}assets/of/{DIGEST}"
PLOTLYS_STYLE = ' id="plotly.js-style-global" class="no-inline-styles"'
"""Plotly writes no rules into a page that has an element of this name and class."""


def document(folder: Path) -> str:
    """The page's one document: its frame with every folder's style and every view.

    ``{{up}}`` stands for the way from the address of a view up to the page's own, ``{{modules}}`` for what names the
    modules that the view needs.
    """
    styles = sorted(folder.glob("*/*.css"), key=lambda path: (path.parent.name != "frame", path))
    links = [
        STYLE_LINK % (path.relative_to(folder).as_posix(), "" if number else PLOTLYS_STYLE)
        for number, path in enumerate(styles)
    ]
    views = [
        f'<div class="view" id="view-{path.stem}" tabindex="-1" hidden>\n{path.read_text(encoding="utf-8")}</div>'
        for path in sorted(folder.glob("*/*.html"))
        if path.parent.name != "frame"
    ]
    text = (folder / "frame" / "document.html").read_text(encoding="utf-8")
    for name, value in {
        "styles": "\n".join(links),
        "views": "\n".join(views),
        "files": FILES,
    }.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


@cache
def modules(area: str) -> str:
    """What names the modules that the views below a path need first, by the path's first part: known or not."""
    wanted = [name for name in ASSETS if name.endswith(".js") and name.split("/")[0] in FOLDERS.get(area, (area,))]
    needed = _with_what_they_take(["frame/page.js", *wanted])
    return "\n".join(AHEAD % name for name in sorted(needed))


def _with_what_they_take(names: Iterable[str]) -> set[str]:
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            taken = TAKES.findall(CONTENT[name].decode())
            waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(name), one)) for one in taken]
    return needed


DOCUMENT = document(FOLDER)
AREAS = frozenset(name.split("/")[0] for name in ASSETS) | {""}


@router.get("/", response_class=RedirectResponse)
def lead_to_the_page() -> RedirectResponse:
    """From the service's own address."""
    return RedirectResponse("ui/")


@router.get("/ui/assets/plotly.min.js", response_class=Response)
def get_plotly(request: Request) -> Response:
    """The script that draws figures in a browser: 4.8 MB."""
    return large_file(request, PLOTLY, KINDS[".js"])


@router.get("/ui/assets/of/{digest}/{name:path}", response_class=Response)
async def get_a_kept_asset(digest: str, name: str, request: Request) -> Response:
    """A script or a style at the address that the page has it by; none is kept that is of another version."""
    kind = KINDS[_asset(name).suffix]
    headers = {**KEPT, **({} if digest == DIGEST else FRESH)}
    if not accepted(request.headers.get("accept-encoding", "")).get("gzip"):
        return Response(CONTENT[name], media_type=kind, headers=headers)
    return Response(PACKED[name], media_type=kind, headers={**headers, "Content-Encoding": "gzip"})


@router.get("/ui/assets/{name:path}", response_class=FileResponse)
def get_an_asset(name: str, request: Request) -> Response:
    """A script or a style of the page."""
    path = _asset(name)
    whole = FileResponse(path, media_type=KINDS[path.suffix], headers=FRESH, stat_result=path.stat())
    return NotModifiedResponse(whole.headers) if STATIC.is_not_modified(whole.headers, request.headers) else whole


@router.get("/ui/{place:path}", response_class=Response)
def get_the_page(place: str) -> Response:
    """The page at the address of one of its views: its scripts read the address."""
    area = place.partition("/")[0]
    content = DOCUMENT.replace("{{modules}}", modules(area if area in AREAS else ""))
    content = content.replace("{{files}}", FILES).replace("{{up}}", "../" * place.count("/") or "./")
    return Response(content, media_type="text/html; charset=utf-8", headers=FRESH)


def _asset(name: str) -> Path:
    if name not in ASSETS:
        raise NotFound(f"there is no file {name!r}", "The page at /ui/ names the files that it needs.")
    return ASSETS[name]
