"""Where a span belongs, and what becomes of spans that a collector does not take."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from store import span_sending, tracing
from store.settings import Settings
from store.span_sending import SpanSender
from store.traceparent import Place
from store.tracing import continuing, past_span, span

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
        return httpx.Response(status)

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
        answers.asked.acquire()
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


def test_a_collector_that_hangs_holds_neither_spans_without_end_nor_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(span_sending, "MOST_WAITING", 2)
    monkeypatch.setattr(span_sending, "CLOSE_SECONDS", 0.05)
    answers = Answers(200)
    answers.may_answer.clear()
    sender = answers.sender()
    tell(sender, "in hand")
    answers.asked.acquire()
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


def test_headers_come_from_a_file_whose_faults_are_told_without_its_words(
    settings_of_session: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "headers"
    for content, said in (("X-Key: a\n\nhush", "line 3 of"), ("x" * 20_000, "more than"), (None, "cannot be read")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
        with pytest.raises(ValidationError, match=said) as refused:
            _with(settings_of_session, otlp_headers=str(path))
        assert "hush" not in str(refused.value.errors(include_input=False))
    path.write_text("X-Key: a\n\nauthorization:Bearer b c \n")
    taken = _with(settings_of_session, otlp_headers=str(path), otlp_endpoint="https://x.example/otlp/")
    made = SpanSender.of(taken, "tests")
    assert (made._address, made._client.headers["x-key"]) == ("https://x.example/otlp/v1/traces", "a")
    assert made._client.headers["authorization"] == "Bearer b c"
    made.close()


def _with(settings: Settings, **changes: object) -> Settings:
    return Settings.model_validate({**settings.model_dump(), **changes})
