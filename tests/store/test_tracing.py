"""Where a span belongs, and what becomes of spans that a collector does not take."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from api import __main__ as api_program
from store import span_sending, tracing
from store.collector import read_headers
from store.errors import SettingsInvalid
from store.settings import Settings
from store.span_sending import SpanSender
from store.traceparent import Place
from store.tracing import continuing, past_span, span, start_tracing
from tests.patience import PATIENCE_SECONDS
from worker import repair

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ADDRESS = "http://collector.test/v1/traces"


class Answers:
    """Answers as a collector would, with one status after the other, the last of them for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.names: list[str] = []
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.release()
        self.may_answer.wait()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status < 300:
            (resource,) = ExportTraceServiceRequest.FromString(request.content).resource_spans
            self.names += [one.name for scope in resource.scope_spans for one in scope.spans]
        return httpx.Response(status, stream=httpx.ByteStream(b""))

    def sender(self) -> SpanSender:
        client = httpx.Client(transport=httpx.MockTransport(self), headers={"authorization": "Bearer secret"})
        return SpanSender(client, ADDRESS, "tests", share=1.0)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(span_sending, "EVERY_SECONDS", 0.01)
    yield
    tracing.stop_tracing()


def tell(sender: SpanSender, *names: str) -> None:
    tracing._running[:] = [sender]
    for name in names:
        past_span(name, {}, began=1.0, ended=2.0)


def dropped_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "store.span_sending"]


@pytest.mark.parametrize(
    ("written", "place"),
    [
        (f"00-{TRACE}-{SPAN}-01", Place(TRACE, SPAN, is_sampled=True)),
        (f"00-{TRACE}-{SPAN}-02", Place(TRACE, SPAN, is_sampled=False)),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", Place(TRACE, SPAN, is_sampled=True)),
        (f"00-{TRACE}-{SPAN}-01-what-comes", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}-01\n", None),
        (f"00-{TRACE}-{SPAN[:-1]}٣-01", None),
        (f"00-{TRACE}-{SPAN}-01," * 2000, None),
        ("0" * 60_000, None),
        ("", None),
        (None, None),
    ],
)
def test_a_place_is_read_as_w3c_writes_it(written: str | None, place: Place | None) -> None:
    assert Place.read(written) == place


def test_of_traces_that_begin_here_a_share_is_told() -> None:
    assert not any(Place.new(0.0).is_sampled for _ in range(50))
    assert all(Place.new(1.0).is_sampled for _ in range(50))
    assert 50 < sum(Place.new(0.25).is_sampled for _ in range(1000)) < 450


def test_a_span_is_within_the_one_that_is_named_or_the_one_around_it_or_that_of_the_process() -> None:
    tracing._running[:] = [Answers(200).sender()]
    tracing.follow_trace_for_ever(f"00-{TRACE}-{SPAN}-00")
    with span("of the process", {}) as first, span("below it", {}) as second:
        assert (first.place.trace, first.parent, first.is_told) == (TRACE, Place(TRACE, SPAN, is_sampled=False), False)
        assert second.parent == first.place
        with span("named", {}, parent=f"00-{'1' * 32}-{'2' * 16}-01") as named, continuing(first.traceparent):
            assert (named.place.trace, named.is_told) == ("1" * 32, True)
            with span("back", {}) as back, span("odd", {}, parent="whatever") as odd:
                assert (back.parent, odd.parent) == (first.place, None)


def test_what_goes_wrong_is_told_by_its_code_and_not_by_its_words() -> None:
    tracing._running[:] = [Answers(200).sender()]
    with pytest.raises(ValueError, match="Lola"), span("x", {}) as opened:
        raise ValueError("no cat is called Lola")
    assert opened.error == "ValueError"


def test_a_collector_that_is_away_gets_later_what_it_missed_and_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = Answers(503, 429, 200)
    sender = answers.sender()
    tell(sender, "first", "second")
    for _ in range(3):
        assert answers.asked.acquire(timeout=PATIENCE_SECONDS)
    tell(sender, "third")
    tracing.stop_tracing()
    assert (sorted(answers.names), sender.dropped) == (["first", "second", "third"], 0)
    assert dropped_lines(caplog) == [f"traces do not reach {ADDRESS} (it answers 503); 0 spans dropped so far"]


def test_what_a_collector_refuses_is_dropped_counted_and_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    answers = Answers(401)
    sender = answers.sender()
    tell(sender, "first")
    tracing.stop_tracing()
    assert (sender.dropped, dropped_lines(caplog)) == (
        1,
        [f"traces do not reach {ADDRESS} (it answers 401); 1 spans dropped so far"],
    )
    assert "secret" not in caplog.text


def test_what_cannot_be_written_is_dropped_and_does_not_hold_up_what_comes_after(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(span_sending, "BATCH", 1)
    answers = Answers(200)
    sender = answers.sender()
    odd: Any = object()
    tell(sender, "before")
    past_span("odd", {"x": odd}, began=1.0, ended=2.0)
    past_span("after", {}, began=1.0, ended=2.0)
    tracing.stop_tracing()
    assert (answers.names, sender.dropped) == (["before", "after"], 1)
    assert len(dropped_lines(caplog)) == 1


def test_of_an_answer_without_end_no_more_is_read_than_of_one() -> None:
    pieces: list[bytes] = []

    def endless() -> Iterator[bytes]:
        while True:
            pieces.append(b"x" * 1024)
            yield pieces[-1]

    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=endless())))
    sender = SpanSender(client, ADDRESS, "tests", share=1.0)
    tell(sender, "first")
    tracing.stop_tracing()
    sender._thread.join()
    assert (len(pieces), sender.dropped) == (span_sending.MOST_OF_ANSWER // 1024 + 1, 0)


def test_a_collector_that_hangs_holds_neither_spans_without_end_nor_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(span_sending, "MOST_WAITING", 2)
    monkeypatch.setattr(span_sending, "CLOSE_SECONDS", 0.05)
    answers = Answers(200)
    answers.may_answer.clear()
    sender = answers.sender()
    tell(sender, "in hand")
    assert answers.asked.acquire(timeout=PATIENCE_SECONDS)
    with caplog.at_level(logging.WARNING):
        tell(sender, "waits", "waits too", "has no room")
        assert sender.dropped == 1
        tracing.stop_tracing()
    assert sender.dropped == 3
    assert [line.endswith("3 spans dropped so far") for line in dropped_lines(caplog)] == [True]
    answers.may_answer.set()
    sender._thread.join()


@pytest.mark.parametrize(
    "value",
    [
        "collector:4318",
        "http://",
        "http://me:hush@x",
        "http://hush@x",
        "https://x/?key=hush",
        "ftp://x",
        "http://x#hush",
    ],
)
def test_an_address_that_is_none_or_has_a_secret_is_refused_without_being_shown(
    settings_of_session: Settings, value: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        _with(settings_of_session, otlp_endpoint=value)
    (error,) = refused.value.errors(include_input=False)
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [("X-Key: a\n\nhush", "line 3 of"), ("x" * 20_000, "more than"), (None, "cannot be read")],
)
def test_a_file_of_headers_that_is_none_is_refused_at_the_start_and_not_by_a_job_that_is_under_way(
    settings_of_session: Settings,
    tmp_path: Path,
    content: str | None,
    said: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "headers"
    if content is not None:
        path.write_text(content)
    wrong = _with(settings_of_session, otlp_headers=str(path), otlp_endpoint="http://collector.test")
    with pytest.raises(SettingsInvalid, match=said):
        read_headers(wrong.otlp_headers)
    for program in (repair, api_program):
        monkeypatch.setattr(program, "load_settings", lambda: wrong)
        monkeypatch.setattr(program, "log_to_stderr", lambda: None)
    assert (repair.main(), api_program.main([])) == (1, 1)
    told = capsys.readouterr().err
    assert told.count("PEDIGREE_OTLP_HEADERS_FILE: ") == 2
    start_tracing(wrong, "tests", lambda: SpanSender)
    with span("x", {}) as opened:
        assert opened.traceparent is None
    (line,) = [record.getMessage() for record in caplog.records if record.name == "store.tracing"]
    assert said in line
    assert "hush" not in told + line


def test_headers_come_from_a_file(settings_of_session: Settings, tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("X-Key: a\n\nauthorization:Bearer b c \n")
    taken = _with(settings_of_session, otlp_headers=str(path), otlp_endpoint="https://x.example/otlp/")
    made = SpanSender.of(taken, "tests")
    assert (made._address, made._client.headers["x-key"]) == ("https://x.example/otlp/v1/traces", "a")
    assert made._client.headers["authorization"] == "Bearer b c"
    made.close()


def _with(settings: Settings, **changes: object) -> Settings:
    return Settings.model_validate({**settings.model_dump(), **changes})
