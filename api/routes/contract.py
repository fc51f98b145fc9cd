"""The API's contract for people at ``/docs``: Swagger UI as its package brings it; nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from api.http.large_file import large_file
from store.errors import NotFound

router = APIRouter(include_in_schema=False)

OURS = Path(__file__).parent.parent / "contract"
SWAGGER = Path(str(files("fastapi_swagger") / "resources"))
ASSETS = {
    "contract.js": (OURS / "contract.js", "text/javascript"),
    "swagger-ui-bundle.js": (SWAGGER / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (SWAGGER / "swagger-ui.css", "text/css"),
}


@router.get("/docs", response_class=FileResponse)
def get_the_contract() -> FileResponse:
    """Every route with its fields, and a form to try it."""
    return FileResponse(OURS / "contract.html", media_type="text/html")


@router.get("/docs/{name}", response_class=Response)
def get_an_asset(name: str, request: Request) -> Response:
    """What the contract's page needs."""
    if name not in ASSETS:
        raise NotFound(f"there is no file {name!r}", "The page at /docs names the files that it needs.")
    return large_file(request, *ASSETS[name])
