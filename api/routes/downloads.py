"""A run's files themselves, as the run lists them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from api.dependencies import ServicesDep
from api.schemas.fields import Id, ShortText
from api.schemas.problem import problems
from store.db.reading import listed_artifact
from store.errors import ArtifactMissing

router = APIRouter(prefix="/runs", tags=["runs"])

BINARY = "application/octet-stream"
AS_BYTES = {"type": "string", "format": "binary"}
MEDIA_TYPES = {".json": "application/json", ".jsonl": "application/x-ndjson"}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file's bytes",
        # Any JSON value, which a client parses: no string of bytes.
        "content": {BINARY: {"schema": AS_BYTES}, "application/x-ndjson": {"schema": AS_BYTES}, "application/json": {}},
        "headers": {
            "ETag": {"description": "the sha256 of the file, hex, in quotes", "schema": {"type": "string"}},
            "Content-Disposition": {"description": "a file name with the run's number", "schema": {"type": "string"}},
        },
    },
    **problems(404, 409),
}


@router.get("/{run_id}/artifacts/{name}", response_class=StreamingResponse, responses=ANSWERS)
def get_an_artifact(
    run_id: Annotated[Id, Path()],
    name: Annotated[ShortText, Path(description="as in the run's `artifacts`", examples=["model.safetensors"])],
    services: ServicesDep,
) -> StreamingResponse:
    """One of the files that the run lists: its weights, their description, its predictions.

    The ETag is the sha256 on record. The bytes are not checked against it here: check the file that you keep.
    """
    with services.sessions.begin() as session:
        artifact = listed_artifact(session, run_id, name)
    # Before the head is sent: later there is no way to say what is wrong but to break off.
    held = services.artifacts.size_of(artifact.key)
    if held != artifact.bytes:
        detail = f"artifact {artifact.key} has {held} bytes, the record says {artifact.bytes}"
        raise ArtifactMissing(detail, hint="Restore it from a backup, or make it again.")
    headers = {
        "Content-Length": str(artifact.bytes),
        "Content-Disposition": f'attachment; filename="run-{run_id}-{artifact.name}"',
        "ETag": f'"{artifact.sha256}"',
        # Interpreting again replaces the predictions under the same name.
        "Cache-Control": "private, no-cache",
    }
    pieces = services.artifacts.pieces(artifact.key, artifact.bytes)
    return StreamingResponse(pieces, media_type=_media_type(artifact.name), headers=headers)


def _media_type(name: str) -> str:
    return next((kind for suffix, kind in MEDIA_TYPES.items() if name.endswith(suffix)), BINARY)
