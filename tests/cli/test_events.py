from cli.client import Client
from cli.events import follow, read_events
from tests.cli.service import Answer, serving

STREAM = "text/event-stream"


def test_events_are_read_with_comments_and_several_data_lines() -> None:
    lines = [": ping", "id: 7", "event: epoch", 'data: {"a":', "data: 1}", "", "data: {}", ""]
    assert [(event.id, event.name, event.data) for event in read_events(lines)] == [
        ("7", "epoch", {"a": 1}),
        ("", "message", {}),
    ]


def test_a_broken_stream_goes_on_after_the_last_event_seen() -> None:
    first = 'id: 3\nevent: log\ndata: {"message": "one"}\n\nid: 4\nevent: log\ndata: {"mess'
    second = 'id: 4\nevent: log\ndata: {"message": "two"}\n\nid: 5\nevent: state\ndata: {"state": "succeeded"}\n\n'
    answers = {
        "GET /jobs/1/events": [Answer(first, kind=STREAM, breaks=True), Answer(second, kind=STREAM)],
        "GET /jobs/1": [Answer({"state": "succeeded"})],
    }
    with serving(answers) as service, Client(service.url) as client:
        seen = [(event.id, event.data.get("message")) for event in follow(client, 1)]
    assert seen == [("3", "one"), ("4", "two"), ("5", None)]
    streams = [headers for asked, headers, _ in service.asked if asked == "GET /jobs/1/events"]
    assert [headers.get("Last-Event-ID") for headers in streams] == [None, "3"]


def test_a_stream_that_ends_before_the_job_does_is_opened_again() -> None:
    answers = {
        "GET /jobs/1/events": [Answer("", kind=STREAM), Answer('id: 1\ndata: {"x": 1}\n\n', kind=STREAM)],
        "GET /jobs/1": [Answer({"state": "running"}), Answer({"state": "failed"})],
    }
    with serving(answers) as service, Client(service.url) as client:
        assert [event.data for event in follow(client, 1)] == [{"x": 1}]
