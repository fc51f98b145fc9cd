"""The page at ``/``: package files, and Plotly's script as its package brings it; nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from store.errors import NotFound

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent.parent / "page"
PLOTLY = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
SCRIPT = "text/javascript"
SCRIPTS = {path.stem: path for path in FOLDER.glob("*.js")}
FILES = StaticFiles(directory=FOLDER)
FRESH = {"Cache-Control": "no-cache"}
"""The files belong together: a browser asks whether they have changed."""
DAY = {"Cache-Control": "private, max-age=86400"}
"""4.8 MB that change only with the package."""


class InFewPieces(FileResponse):
    """A large file: each piece is a turn of a thread, and a busy machine has few to spare."""

    chunk_size = 1024 * 1024


@router.get("/", response_class=FileResponse)
def get_the_page(request: Request) -> Response:
    """The page itself."""
    return _unless_it_is_there(request, FOLDER / "index.html", "text/html")


@router.get("/page.css", response_class=FileResponse)
def get_the_style(request: Request) -> Response:
    """How the page looks."""
    return _unless_it_is_there(request, FOLDER / "page.css", "text/css")


@router.get("/plotly.min.js", response_class=FileResponse)
def get_plotly() -> InFewPieces:
    """The script that draws figures in a browser."""
    return InFewPieces(PLOTLY, media_type=SCRIPT, headers=DAY)


@router.get("/{name}.js", response_class=FileResponse)
def get_a_script(name: str, request: Request) -> Response:
    """What the page does, a file for each part of it."""
    if name not in SCRIPTS:
        raise NotFound(f"there is no script {name!r}", "The page at / names the scripts that it needs.")
    return _unless_it_is_there(request, SCRIPTS[name], SCRIPT)


def _unless_it_is_there(request: Request, path: Path, media_type: str) -> Response:
    """The file, or 304 where the browser has it as it is now."""
    whole = FileResponse(path, media_type=media_type, headers=FRESH, stat_result=path.stat())
    return NotModifiedResponse(whole.headers) if FILES.is_not_modified(whole.headers, request.headers) else whole
