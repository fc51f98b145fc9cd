"""Several pictures answered line by line, each as soon as it is ready: ``Accept: application/x-ndjson``."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from api.http.accepts import accepted
from api.http.errors import told_of
from api.schemas.predictions import AnsweredBy, FailedPicture, PictureError
from api.serving.answers import MAX_NAME, written
from api.serving.decoding import ClientLeft
from api.serving.sent_pictures import SentPicture

LINES = "application/x-ndjson"
LINES_TOO: dict[str, Any] = {
    "content": {
        LINES: {
            "schema": {
                "description": "a line for each photo, in the order in which they are ready: an entry of "
                "`predictions` with its `index`",
                "type": "string",
            }
        }
    }
}


def wants_lines(headers: Headers) -> bool:
    """Whether the client asks for lines by name; what accepts anything gets JSON."""
    accept = headers.get("accept", "")
    return LINES in accept and accepted(accept).get(LINES, 0) > 0


class Lines(Response):
    """The answer that is written while pictures become ready. What it holds is let go with its last line."""

    def __init__(
        self,
        files: Sequence[SentPicture],
        pictures: "Sequence[asyncio.Future[bytes]]",
        about: AnsweredBy,
        held: AsyncExitStack,
    ) -> None:
        """Begin nothing yet.

        Args:
            files: as they were sent.
            pictures: their parts of the answer, on their way.
            about: which model answers, and what its sets are worth; it goes into headers.
            held: what they need until they are ready.
        """
        super().__init__(media_type=LINES, headers=_headers(about))
        del self.headers["content-length"]
        self._files, self._pictures, self._held = files, pictures, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        """Send a line for each; end quietly where nobody reads them."""
        async with self._held:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            ready: asyncio.Queue[int] = asyncio.Queue()
            for index, picture in enumerate(self._pictures):
                picture.add_done_callback(lambda _, index=index: ready.put_nowait(index))  # type: ignore[misc]
            for _ in self._pictures:
                index = await ready.get()
                error = self._pictures[index].exception()
                if isinstance(error, ClientLeft):
                    return
                await send({"type": "http.response.body", "body": self._line(index, error), "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _line(self, index: int, error: BaseException | None) -> bytes:
        entry = self._pictures[index].result() if error is None else _failed(self._files[index], error)
        return b'{"index":%d,' % index + entry[1:] + b"\n"


def _failed(file: SentPicture, error: BaseException) -> bytes:
    problem = told_of(error)
    told = PictureError(code=problem.code, detail=problem.detail, hint=problem.hint)
    return written(FailedPicture(filename=file.filename[:MAX_NAME], error=told))


def _headers(about: AnsweredBy) -> dict[str, str]:
    model = about.model
    told = {"Version": model.version, "Run": model.run, "Arch": model.arch, "Drawn": model.drawn, "TTA": about.tta}
    told |= {"Loss": model.loss, "Scores": model.scores, "Calibrated": model.calibrated}
    told |= {"Refused-Share": about.refused_share}
    if about.coverage is not None:
        told |= {"Coverage": about.coverage.asked, "Coverage-Photos": about.coverage.photos}
        told |= {} if about.coverage.note is None else {"Coverage-Note": about.coverage.note}
    return {f"Pedigree-{name}": str(value).lower() for name, value in told.items()}
