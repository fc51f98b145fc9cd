"""The page at ``/``: package files, and Plotly's script as its package brings it; nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

router = APIRouter(include_in_schema=False)

METHODS = ["GET", "HEAD"]
FOLDER = Path(__file__).parent.parent / "page"
PLOTLY = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
SCRIPT = "text/javascript"
DAY = {"Cache-Control": "private, max-age=86400"}
"""4.8 MB that change only with the package."""


@router.api_route("/", methods=METHODS, response_class=FileResponse)
def get_the_page() -> FileResponse:
    """The page itself."""
    return FileResponse(FOLDER / "index.html", media_type="text/html")


@router.api_route("/page.css", methods=METHODS, response_class=FileResponse)
def get_the_style() -> FileResponse:
    """How the page looks."""
    return FileResponse(FOLDER / "page.css", media_type="text/css")


@router.api_route("/page.js", methods=METHODS, response_class=FileResponse)
def get_the_script() -> FileResponse:
    """What the page does."""
    return FileResponse(FOLDER / "page.js", media_type=SCRIPT)


@router.get("/figures.js", response_class=FileResponse)
def get_the_figures_script() -> FileResponse:
    """How the page shows figures."""
    return FileResponse(FOLDER / "figures.js", media_type=SCRIPT)


@router.get("/plotly.min.js", response_class=FileResponse)
def get_plotly() -> FileResponse:
    """The script that draws figures in a browser."""
    return FileResponse(PLOTLY, media_type=SCRIPT, headers=DAY)
