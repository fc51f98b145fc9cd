"""The services' logs: lines on stderr that do nothing to whoever reads them in a terminal."""

import logging
from types import TracebackType

from store.request_ids import request_id

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlainFormatter(logging.Formatter):
    """Writes what cannot be printed as its escape.

    A name that somebody sent can hold what moves a terminal's cursor, or a line's end and then a line of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The record's line, on one line, with the id of the request that it is about."""
        found = request_id()
        if found is not None:
            record.message = f"[{found}] {record.message}"
        return plain(super().formatMessage(record))

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - logging's own name
        """A traceback, of several lines."""
        return "\n".join(plain(line) for line in super().formatException(ei).split("\n"))


def plain(text: str) -> str:
    """The text with what cannot be printed written as its escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Have everything that is logged in this process go to stderr, in one form."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])
