"""The page below ``/ui``: package files, and Plotly's script as its package brings it; nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from api.http.large_file import large_file
from store.errors import NotFound

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent.parent / "page"
PLOTLY = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
KINDS = {".js": "text/javascript", ".css": "text/css"}
ASSETS = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.glob("*/*") if path.suffix in KINDS}
STATIC = StaticFiles(directory=FOLDER)
FRESH = {"Cache-Control": "no-cache"}
"""The files belong together: a browser asks whether they have changed."""
STYLE_LINK = '<link rel="stylesheet" href="{{up}}assets/%s"%s>'
PLOTLYS_STYLE = ' id="plotly.js-style-global" class="no-inline-styles"'
"""Plotly writes no rules into a page that has an element of this name and class."""


def document(folder: Path) -> str:
    """The page's one document: its frame with every folder's style and every view.

    ``{{up}}`` stands for the way from the address of a view up to the page's own.
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
    frame = (folder / "frame" / "document.html").read_text(encoding="utf-8")
    return frame.replace("{{styles}}", "\n".join(links)).replace("{{views}}", "\n".join(views))


DOCUMENT = document(FOLDER)


@router.get("/", response_class=RedirectResponse)
def lead_to_the_page() -> RedirectResponse:
    """From the service's own address."""
    return RedirectResponse("ui/")


@router.get("/ui/assets/plotly.min.js", response_class=Response)
def get_plotly(request: Request) -> Response:
    """The script that draws figures in a browser: 4.8 MB."""
    return large_file(request, PLOTLY, KINDS[".js"])


@router.get("/ui/assets/{name:path}", response_class=FileResponse)
def get_an_asset(name: str, request: Request) -> Response:
    """A script or a style of the page."""
    if name not in ASSETS:
        raise NotFound(f"there is no file {name!r}", "The page at /ui/ names the files that it needs.")
    path = ASSETS[name]
    whole = FileResponse(path, media_type=KINDS[path.suffix], headers=FRESH, stat_result=path.stat())
    return NotModifiedResponse(whole.headers) if STATIC.is_not_modified(whole.headers, request.headers) else whole


@router.get("/ui/{place:path}", response_class=Response)
def get_the_page(place: str) -> Response:
    """The page at the address of one of its views: its scripts read the address."""
    content = DOCUMENT.replace("{{up}}", "../" * place.count("/") or "./")
    return Response(content, media_type="text/html; charset=utf-8", headers=FRESH)
