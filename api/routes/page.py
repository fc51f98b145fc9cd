"""The page at ``/``: package files, and Plotly's script as its package brings it; nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from store.errors import NotFound

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent.parent / "page"
PLOTLY = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
SCRIPT = "text/javascript"
SCRIPTS = {path.stem: path for path in FOLDER.glob("*.js")}
FRESH = {"Cache-Control": "no-cache"}
"""The files belong together: a browser asks whether they have changed."""
DAY = {"Cache-Control": "private, max-age=86400"}
"""4.8 MB that change only with the package."""


class InFewPieces(FileResponse):
    """A large file: each piece is a turn of a thread, and a busy machine has few to spare."""

    chunk_size = 1024 * 1024


@router.get("/", response_class=FileResponse)
def get_the_page() -> FileResponse:
    """The page itself."""
    return FileResponse(FOLDER / "index.html", media_type="text/html", headers=FRESH)


@router.get("/page.css", response_class=FileResponse)
def get_the_style() -> FileResponse:
    """How the page looks."""
    return FileResponse(FOLDER / "page.css", media_type="text/css", headers=FRESH)


@router.get("/plotly.min.js", response_class=FileResponse)
def get_plotly() -> InFewPieces:
    """The script that draws figures in a browser."""
    return InFewPieces(PLOTLY, media_type=SCRIPT, headers=DAY)


@router.get("/{name}.js", response_class=FileResponse)
def get_a_script(name: str) -> FileResponse:
    """What the page does, a file for each part of it."""
    if name not in SCRIPTS:
        raise NotFound(f"there is no script {name!r}", "The page at / names the scripts that it needs.")
    return FileResponse(SCRIPTS[name], media_type=SCRIPT, headers=FRESH)
