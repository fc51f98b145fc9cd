import logging
import subprocess
import sys
from contextvars import copy_context

from store.logs import FORMAT, PlainFormatter
from store.request_ids import begin_request, following, request_id

HOSTILE = "a\x1b[2J\nforged line\r\x9b\u202e\ud800é.jpg"


def formatted(message: str, *values: object, error: BaseException | None = None) -> str:
    info = None if error is None else (type(error), error, error.__traceback__)
    return PlainFormatter(FORMAT).format(logging.LogRecord("x", logging.INFO, "x.py", 1, message, values, info))


def test_what_somebody_sent_is_one_printable_line() -> None:
    line = formatted("no %s", HOSTILE)
    assert line.isprintable()
    assert line.endswith(r"no a\x1b[2J\nforged line\r\x9b\u202e\ud800é.jpg")


def test_a_traceback_keeps_its_lines_and_nothing_else_that_moves_a_cursor() -> None:
    text = formatted("failed", error=ValueError(HOSTILE))
    assert len(text.split("\n")) == 3
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_process_of_the_service_logs_so() -> None:
    code = "import logging; from store.logs import log_to_stderr; log_to_stderr(); logging.warning(chr(27) + 'x')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert r"WARNING root: \x1bx" in ended.stderr


def test_a_line_has_the_id_of_the_request_that_it_is_about() -> None:
    with following("edge-1"):
        assert formatted("job %d", 7).endswith(" x: [edge-1] job 7")
        with following(None), following("not\none"):
            assert request_id() == "edge-1"
    assert formatted("job %d", 7).endswith(" x: job 7")


def test_an_id_is_the_callers_where_it_is_one() -> None:
    assert copy_context().run(begin_request, "a.b-C_9") == "a.b-C_9"
    for odd in (None, "", "a b", "x" * 65, "a\n", "[x]"):
        assert copy_context().run(begin_request, odd) != odd
    assert request_id() is None
