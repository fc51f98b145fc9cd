from dataclasses import dataclass, field

import pytest

from cli import events
from cli.client import Client, GaveUp, ServiceError
from cli.events import follow
from pedigree.events import Event
from tests.cli.service import Answer, serving

STREAM = "text/event-stream"


@dataclass
class Heard:
    """What a listener was told, in order."""

    events: list[Event] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def show(self, event: Event) -> None:
        self.events.append(event)
        self.said.append(event.id)

    def away(self, seconds: float) -> None:
        self.said.append(f"away for up to {seconds:.0f} s")

    def back(self) -> None:
        self.said.append("back")


def test_a_broken_stream_goes_on_after_the_last_event_seen() -> None:
    first = 'id: 3\nevent: log\ndata: {"message": "one"}\n\nid: 4\nevent: log\ndata: {"mess'
    second = 'id: 4\nevent: log\ndata: {"message": "two"}\n\nid: 5\nevent: state\ndata: {"state": "succeeded"}\n\n'
    answers = {
        "GET /jobs/1/events": [Answer(first, kind=STREAM, breaks=True), Answer(second, kind=STREAM)],
        "GET /jobs/1": [Answer({"state": "succeeded"})],
    }
    with serving(answers) as service, Client(service.url) as client:
        heard = Heard()
        assert follow(client, 1, heard) == {"state": "succeeded"}
    assert heard.said == ["3", "away for up to 60 s", "back", "4", "5"]
    assert [(event.id, event.data.get("message")) for event in heard.events] == [
        ("3", "one"),
        ("4", "two"),
        ("5", None),
    ]
    streams = [headers for asked, headers, _ in service.asked if asked == "GET /jobs/1/events"]
    assert [headers.get("Last-Event-ID") for headers in streams] == [None, "3"]


def test_a_stream_that_ends_before_the_job_does_is_opened_again() -> None:
    answers = {
        "GET /jobs/1/events": [Answer("", kind=STREAM), Answer('id: 1\ndata: {"x": 1}\n\n', kind=STREAM)],
        "GET /jobs/1": [Answer({"state": "running"}), Answer({"state": "failed"})],
    }
    with serving(answers) as service, Client(service.url) as client:
        heard = Heard()
        assert follow(client, 1, heard) == {"state": "failed"}
    assert heard.said == ["1"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_service_that_cannot_answer_for_a_while_is_asked_again(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "sleep", lambda _: None)
    away = Answer({"detail": "the database does not answer", "code": "unavailable"}, status)
    answers = {
        "GET /jobs/1/events": [away, Answer("", kind=STREAM), away, Answer('id: 1\ndata: {"x": 1}\n\n', kind=STREAM)],
        "GET /jobs/1": [Answer({"state": "running"}), away, Answer({"state": "failed"})],
    }
    with serving(answers) as service, Client(service.url) as client:
        heard = Heard()
        assert follow(client, 1, heard) == {"state": "failed"}
    assert heard.said == ["away for up to 60 s", "back", "away for up to 60 s", "back", "1"]


def test_a_service_that_cannot_answer_for_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1, 1000, 20))
    monkeypatch.setattr(events, "sleep", lambda _: None)
    monkeypatch.setattr("pedigree.events.monotonic", lambda: next(clock))
    away = Answer({"detail": "the database does not answer", "code": "unavailable"}, 503)
    # The job is told and its events are not: that is no answer either.
    answers = {"GET /jobs/1/events": [away], "GET /jobs/1": [Answer({"state": "running"})]}
    heard, line = Heard(), r"not answered for 60 s \(the database does not answer\)"
    with serving(answers) as service, Client(service.url) as client, pytest.raises(GaveUp, match=line):
        follow(client, 1, heard)
    assert heard.said == ["away for up to 60 s"]
    assert [asked for asked, _, _ in service.asked].count("GET /jobs/1/events") == 4


def test_an_answer_that_will_not_change_ends_the_following() -> None:
    with serving({}) as service, Client(service.url) as client, pytest.raises(ServiceError):
        follow(client, 1, Heard())
    assert len(service.asked) == 1
