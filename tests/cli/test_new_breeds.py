import json

import pytest

from tests.cli.service import Answer
from tests.cli.test_commands import JOB, ask


def test_breeds_that_are_added_are_a_job_and_a_run_to_look_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"POST /models/4/breeds": [Answer({"id": 9, "run": 12, "state": "queued"}, 202)]}
    code, out, _, service = ask(capsys, monkeypatch, answers, "models", "add-breeds", "4", "new", "--name", "more")
    assert code == 0
    assert out == "job 9: queued; `pedigree runs show 12` tells what comes of it\n"
    assert service.asked[-1][2] == b'{"dataset":"new","name":"more"}'


def test_who_follows_sees_what_came_of_it_and_how_to_have_it_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    added = {
        "version": 5,
        "sentence": "2 breeds were added to 37.",
        "refused": 0.125,
        "breeds": [{"breed": "collie", "photos": 9, "wrong": 1}, {"breed": "dingo", "photos": 8, "wrong": 0}],
    }
    done = {**JOB, "id": 9, "run": 12, "state": "succeeded"}
    stream = f"id: 1\nevent: state\ndata: {json.dumps({'state': 'succeeded'})}\n\n"
    answers = {
        "POST /models/4/breeds": [Answer({**done, "state": "queued"}, 202)],
        "GET /jobs/9/events": [Answer(stream, kind="text/event-stream")],
        "GET /jobs/9": [Answer(done)],
        "GET /runs/12": [Answer({"added": added})],
    }
    code, out, _, service = ask(capsys, monkeypatch, answers, "models", "add-breeds", "4", "new", "--follow")
    assert (code, service.asked[0][2]) == (0, b'{"dataset":"new","name":null}')
    first, *lines = out.splitlines()
    assert first == "run 12, job 9"
    assert "new version: 5" in lines
    assert "new breeds: 2 breeds were added to 37." in lines
    assert "trust: 12.5% of the new photos are taken for unknown when they are left out" in lines
    assert [line.split() for line in lines[-3:-1]] == [["collie", "9", "1"], ["dingo", "8", "0"]]
    assert lines[-1] == "`pedigree models alias production 5` has it answer"
