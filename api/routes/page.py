"""The page at ``/``: three package files, nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent.parent / "page"


@router.get("/", response_class=FileResponse)
def get_the_page() -> FileResponse:
    """The page itself."""
    return FileResponse(FOLDER / "index.html", media_type="text/html")


@router.get("/page.css", response_class=FileResponse)
def get_the_style() -> FileResponse:
    """How the page looks."""
    return FileResponse(FOLDER / "page.css", media_type="text/css")


@router.get("/page.js", response_class=FileResponse)
def get_the_script() -> FileResponse:
    """What the page does."""
    return FileResponse(FOLDER / "page.js", media_type="text/javascript")
