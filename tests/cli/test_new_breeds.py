import pytest

from tests.cli.service import Answer
from tests.cli.test_commands import ask


def test_breeds_that_are_added_are_a_job_and_a_run_to_look_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"POST /models/4/breeds": [Answer({"id": 9, "run": 12, "state": "queued"}, 202)]}
    code, out, _, service = ask(capsys, monkeypatch, answers, "models", "add-breeds", "4", "new", "--name", "more")
    assert code == 0
    assert out == "job 9: queued; `pedigree runs show 12` tells what comes of it\n"
    assert service.asked[-1][2] == b'{"dataset":"new","name":"more"}'
