"""What is sent again and what is not, and where the service is found."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cli.client import find_service
from cli.data_folder import DataFolder
from cli.running import remember
from pedigree import Client, PedigreeError, Unreachable
from pedigree.finding import find_url

BUSY = {"code": "busy", "detail": "come back", "hint": "Wait.", "status": 503}


def failing(*outcomes: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A service that does one after the other."""
    left, asked = list(outcomes), []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return httpx.MockTransport(answer), asked


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("pedigree.client.sleep", found.append)
    return found


ALIAS = {"alias": "production", "version": 3, "canary": None, "before": 1}


def test_a_reading_is_tried_again_after_what_may_pass(pauses: list[float]) -> None:
    retry = httpx.Response(429, json=BUSY, headers={"Retry-After": "2"})
    transport, asked = failing(httpx.ReadTimeout("late"), retry, httpx.Response(200, json=ALIAS))
    with Client("http://service", transport=transport) as client:
        assert client.models.alias().version == 3
    assert len(asked) == 3
    assert pauses == [0.25, 2.0]


def test_a_job_is_queued_once_however_often_it_is_sent(pauses: list[float]) -> None:
    busy = httpx.Response(503, json=BUSY)
    transport, asked = failing(httpx.ReadError("broke"), busy, httpx.Response(422, json=BUSY | {"code": "no"}))
    with Client("http://service", transport=transport) as client, pytest.raises(PedigreeError):
        client.train("pets")
    keys = {request.headers["Idempotency-Key"] for request in asked}
    assert (len(asked), len(keys), len(pauses)) == (3, 1, 2)


@pytest.mark.parametrize(
    "ask",
    [lambda client: client.models.rollback(), lambda client: client.predict(b"x"), lambda client: client.cancel(1)],
)
def test_what_does_something_each_time_is_sent_once(ask: Callable[[Client], object]) -> None:
    transport, asked = failing(httpx.Response(503, json=BUSY))
    with Client("http://service", transport=transport) as client, pytest.raises(PedigreeError) as raised:
        ask(client)
    assert (raised.value.code, raised.value.hint, len(asked)) == ("busy", "Wait.", 1)


def test_what_no_time_mends_is_not_tried_again(pauses: list[float]) -> None:
    transport, asked = failing(httpx.Response(404, json=BUSY | {"code": "not_found"}))
    with Client("http://service", transport=transport) as client, pytest.raises(PedigreeError):
        client.runs.get(1)
    assert (len(asked), pauses) == (1, [])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(200, json=[1]), "unknown_answer"),
        (httpx.Response(200, text="<html>"), "unknown_answer"),
        (httpx.Response(500, text="<html>"), "not_pedigree"),
        (httpx.Response(302, headers={"Location": "/login"}), "not_pedigree"),
    ],
)
def test_what_is_not_pedigrees_is_said_to_be_so(answer: httpx.Response, code: str) -> None:
    transport, _ = failing(answer)
    with Client("http://service", transport=transport) as client, pytest.raises(PedigreeError) as raised:
        client.runs.get(1)
    assert raised.value.code == code


def test_that_nothing_answers_is_said_with_what_to_do(pauses: list[float]) -> None:
    with Client("http://127.0.0.1:9", retries=1) as client, pytest.raises(Unreachable) as raised:
        client.runs.get(1)
    assert raised.value.code == "unreachable"
    assert "pedigree up" in str(raised.value)
    assert pauses == [0.25]


@pytest.mark.parametrize("name", ["", "a/b", ".."])
def test_what_cannot_be_a_name_is_not_sent(name: str) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(PedigreeError) as raised:
        client.datasets.get(name)
    assert raised.value.code == "invalid_name"


@contextmanager
def held(found: DataFolder, url: str) -> Iterator[None]:
    """A data folder as a stack that runs has it."""
    with found.lock():
        found.write_stack({"url": url, "pid": os.getpid()})
        yield


def by_both(data: Path | None = None) -> set[str]:
    """Where the command and the client find the service: the same place."""
    with find_service(None, data) as command:
        return {command.url, find_url(None, data)}


def test_the_client_finds_the_service_as_the_command_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unreachable) as raised:
        find_url()
    assert raised.value.code == "no_service"
    names = ("elsewhere", "home/pedigree", ".pedigree")
    elsewhere, usual, here = (DataFolder(tmp_path / name) for name in names)
    remember(elsewhere)
    here.root.mkdir()
    with held(elsewhere, "http://elsewhere:1"):
        assert by_both() == {"http://elsewhere:1"}
        (tmp_path / ".pedigree").rename(tmp_path / "away")
        with held(usual, "http://usual:1"):
            assert by_both() == {"http://usual:1"}
            (tmp_path / "away").rename(tmp_path / ".pedigree")
            with held(here, "http://here:1"):
                assert by_both() == {"http://here:1"}
                assert by_both(tmp_path / "elsewhere") == {"http://elsewhere:1"}
                monkeypatch.setenv("PEDIGREE_DATA", str(tmp_path / "elsewhere"))
                assert by_both() == {"http://elsewhere:1"}
                monkeypatch.setenv("PEDIGREE_URL", "named:2/")
                assert by_both() == {"http://named:2"}
                assert by_both(tmp_path / "elsewhere") == {"http://elsewhere:1"}, "what is given goes before it"
                assert find_url("http://other") == "http://other"


def test_what_a_killed_stack_left_behind_is_no_service(tmp_path: Path) -> None:
    with held(DataFolder(tmp_path / "data"), "http://gone:1"):
        pass
    with pytest.raises(Unreachable):
        find_url(data=tmp_path / "data")
    assert json.loads((tmp_path / "data" / "stack.json").read_text())["url"] == "http://gone:1"
    assert os.environ.get("PEDIGREE_URL") is None
