"""A predict job: with a real worker, over a dataset and over an archive; what an attempt at one minds."""

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from ml.decode.images import Limits
from ml.errors import ArchiveRejected, DatasetUnusable, Stopped
from ml.serve.choice import Choice
from ml.serve.classifier import Classifier
from ml.serve.engine import Prepared
from ml.serve.machine import machine_kind
from ml.serve.many import Answer
from ml.serve.way import Way
from store.artifacts import ArtifactStore, StoredFile
from store.db.choices import record_choice
from store.db.jobs import claim, create_job, hand_back, request_cancel
from store.db.models import Run
from store.db.reading import events_after, get_job
from store.db.registry import register
from store.errors import ServiceUnavailable
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient
from tests.ml.serve.trained import VOCAB, trained
from tests.worker.attempts import Stack
from tests.worker.processes import running, until
from worker.answer_files import AnswerFiles
from worker.predicting import predict_pictures

Sessions = sessionmaker[Session]


def archive(**more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in {"b/red.jpg": jpeg(), "=1+1.jpg": jpeg((0, 200, 0)), "notes.txt": b"no picture"}.items():
            packed.writestr(name, data)
        for name, data in more.items():
            packed.writestr(name.replace("_dot_", "."), data)
    return out.getvalue()


def registered(records: Records, folder: Path) -> Run:
    """A run of real weights over a dataset of three photos, which is version 1."""
    run = records.finished(records.dataset_with_photos(folder / "photos"))
    files = trained(folder / "trained")
    for name in ("model.safetensors", "model.json"):
        records.artifact(run, name, (files / name).read_bytes())
    with records.sessions.begin() as session:
        register(session, run.id)
    return run


@pytest.mark.thorough
@pytest.mark.long
def test_a_worker_answers_for_a_dataset_and_for_an_archive(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    registered(Records(sessions, artifacts), tmp_path)
    app = create_app(settings, load=FakeClassifier.load)
    with running("worker", settings), TestClient(app, base_url="http://localhost") as client:

        def ended(job: dict[str, Any]) -> dict[str, Any]:
            return until(lambda: _ended(client, job), "the end of a job")

        body = {"kind": "predict", "model": "1", "dataset": "photos"}
        asked = client.post("/jobs", json=body, headers={"Idempotency-Key": "once"})
        again = client.post("/jobs", json=body, headers={"Idempotency-Key": "once"})
        assert (asked.status_code, again.status_code, again.json()["id"]) == (202, 200, asked.json()["id"])
        files = {"archive": ("pets.zip", archive(broken_dot_jpg=b"no picture"))}
        sent = client.post("/jobs/archives", files=files, data={"model": "1"})
        assert sent.status_code == 202, sent.text
        of_dataset, of_archive = ended(asked.json()), ended(sent.json())
        assert [job["error"] for job in (of_dataset, of_archive)] == [None, None]
        told = of_dataset["answers"]
        assert (told["version"], told["photos"], told["broken"]) == (1, 3, 0)
        assert (of_archive["answers"]["photos"], of_archive["answers"]["broken"]) == (3, 1)
        rows = _lines(client, of_dataset)
        table = list(csv.DictReader(io.StringIO(client.get(f"/jobs/{of_archive['id']}/answers/predictions.csv").text)))
        broken = _lines(client, of_archive)
    model = Classifier.load(tmp_path / "trained", "cpu")
    for row in rows:
        photo = (tmp_path / "photos" / row["path"]).read_bytes()
        scores = model.scores(list(model.run([model.prepare(photo, Limits())])))
        assert list(row["probabilities"].values()) == pytest.approx(scores.tolist(), abs=1e-3)
        assert row["breed"] == VOCAB[int(scores.argmax())]
        assert row["probability"] == max(row["probabilities"].values())
    assert [row["path"] for row in rows] == ["Birman_1.jpg", "Birman_2.jpg", "pug_1.jpg"]
    # Nothing was left to judge answers with, and random weights are sure of nothing.
    assert {(row["sure"], row["known"]) for row in rows} <= {(True, None), (False, None)}
    assert [row["path"] for row in broken] == ["=1+1.jpg", "b/red.jpg", "broken.jpg"]
    assert broken[2]["error"]["code"] == "not_an_image"
    assert [row["path"] for row in table] == ["'=1+1.jpg", "b/red.jpg", "broken.jpg"]
    assert [row["error"] for row in table] == ["", "", "not_an_image"]
    assert float(table[1]["pug"]) == broken[1]["probabilities"]["pug"]
    assert [*artifacts.keys_below("uploads/")] == []


def _ended(client: TestClient, job: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = client.get(f"/jobs/{job['id']}").json()
    return found if found["state"] in {"succeeded", "failed"} else None


def _lines(client: TestClient, job: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.get(f"/jobs/{job['id']}/answers/predictions.jsonl")
    assert answer.headers["etag"] == f'"{sha256(answer.content).hexdigest()}"'
    assert answer.headers["etag"].strip('"') in {file["sha256"] for file in job["answers"]["files"]}
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
def predict(stack: Stack, tmp_path: Path) -> Callable[[dict[str, Any]], int]:
    """Queue and claim a job of the registered version, with what else is in its payload."""
    run = registered(Records(stack.sessions, stack.artifacts), tmp_path)

    def queued(payload: dict[str, Any]) -> int:
        about = {"version": 1, "run_id": run.id, "dataset_id": run.dataset_id, **payload}
        with stack.sessions.begin() as session:
            job = create_job(session, kind="predict", payload=about, max_attempts=3)
            assert claim(session, job.id, worker="here:1", lease_seconds=60)
        return job.id

    return queued


def test_a_job_that_is_cancelled_leaves_no_answers(
    stack: Stack, predict: Callable[[dict[str, Any]], int], artifacts: ArtifactStore
) -> None:
    job_id = predict({})
    attempt = stack.attempt(job_id)
    with stack.sessions.begin() as session:
        request_cancel(session, job_id)
    with pytest.raises(Stopped):
        predict_pictures(attempt)
    assert keys_of(artifacts, job_id) == []
    with stack.sessions.begin() as session:
        job = get_job(session, job_id)
        assert (job.state, job.payload.get("answers")) == (State.CANCELLING, None)


def test_an_attempt_that_is_put_down_keeps_what_it_has_answered(
    stack: Stack, predict: Callable[[dict[str, Any]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = predict({})
    attempt, write = stack.attempt(job_id), AnswerFiles.write

    def told_to_stop(self: AnswerFiles, answer: Answer) -> None:
        write(self, answer)
        monkeypatch.setattr(attempt.reporter, "_told", lambda: True)

    monkeypatch.setattr(AnswerFiles, "write", told_to_stop)
    with pytest.raises(Stopped):
        predict_pictures(attempt)
    (part,) = keys_of(stack.artifacts, job_id)
    lines = stack.artifacts.get_bytes(part).decode().splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["Birman_1.jpg"]


class Killed(BaseException):
    """Ends an attempt as a signal would: nothing of it is told."""


@pytest.mark.parametrize("damage", [None, "gone", "changed"])
def test_an_attempt_that_broke_off_is_gone_on_from(
    stack: Stack,
    predict: Callable[[dict[str, Any]], int],
    artifacts: ArtifactStore,
    monkeypatch: pytest.MonkeyPatch,
    damage: str | None,
) -> None:
    job_id = predict({})
    whole = rows_of(stack, predict({}))
    stack.settings = stack.settings.model_copy(update={"checkpoint_seconds": 0.0})
    seen: list[str] = []
    original = Classifier.prepare

    def counted(self: Classifier, data: bytes, limits: Limits) -> Prepared:
        seen.append(sha256(data).hexdigest())
        return original(self, data, limits)

    monkeypatch.setattr(Classifier, "prepare", counted)
    write = AnswerFiles.write

    def killed_at_the_third(self: AnswerFiles, answer: Answer) -> None:
        if self.rows == 2:
            raise Killed
        write(self, answer)

    with monkeypatch.context() as patched:
        patched.setattr(AnswerFiles, "write", killed_at_the_third)
        with pytest.raises(Killed):
            predict_pictures(stack.attempt(job_id))
    parts = keys_of(artifacts, job_id)
    assert parts == [f"jobs/{job_id}-1/part-{number}.jsonl" for number in range(2)]
    if damage == "gone":
        artifacts.delete(parts[1])
    elif damage == "changed":
        artifacts.put_bytes(parts[1], b"{}")
    with stack.sessions.begin() as session:
        hand_back(session, job_id, 1, error={"code": "job_crashed", "detail": "", "hint": None}, spare=True)
        assert claim(session, job_id, worker="here:1", lease_seconds=60)
    seen.clear()
    assert rows_of(stack, job_id, 2) == whole
    assert len(seen) == (1 if damage is None else 2)
    # Only a damaged part is left, for the repair process to delete.
    left = [key for key in keys_of(artifacts, job_id) if "/part-" in key]
    assert left == ([parts[1]] if damage == "changed" else [])


def test_a_store_that_is_away_for_a_part_costs_the_part_and_not_the_job(
    stack: Stack, predict: Callable[[dict[str, Any]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, job_id = rows_of(stack, predict({})), predict({})
    stack.settings = stack.settings.model_copy(update={"checkpoint_seconds": 0.0})
    refused: list[str] = []
    put = ArtifactStore.put_file

    def away(self: ArtifactStore, key: str, path: Path, **more: Any) -> StoredFile:  # noqa: ANN401 - what else is asked
        if "/part-" in key:
            refused.append(key)
            raise ServiceUnavailable("the artifact store does not answer")
        return put(self, key, path, **more)

    monkeypatch.setattr(ArtifactStore, "put_file", away)
    assert rows_of(stack, job_id) == whole
    assert set(refused) == {f"jobs/{job_id}-1/part-0.jsonl"}


UNFIT = Way("cuda_graphs", "bf16", "direct")
EXACT = "answers are computed by torch in fp32, from the exact input"


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        pytest.param(
            Way("openvino", "fp32", "two_steps", 2),
            "answers are computed by openvino in fp32, from the two_steps input",
            id="chosen",
        ),
        pytest.param(UNFIT, EXACT, id="does not run here"),
        pytest.param(None, EXACT, id="nothing chosen"),
        pytest.param({"way": "of another version"}, EXACT, id="unreadable"),
    ],
)
def test_photos_are_answered_by_the_way_that_was_chosen_for_such_a_machine(
    stack: Stack, predict: Callable[[dict[str, Any]], int], recorded: Way | dict[str, str] | None, said: str
) -> None:
    exact = rows_of(stack, predict({}))
    machine = machine_kind(stack.settings.device)
    content = Choice(recorded, machine, ()).content() if isinstance(recorded, Way) else recorded
    with stack.sessions.begin() as session:
        record_choice(session, 1, machine, content=content, reason=None if content else "there were no photos")
        record_choice(session, 1, "another", content=Choice(OTHER, "another", ()).content(), reason=None)
    job_id = predict({})
    _, found = rows_of(stack, job_id)
    *why, how = logs_of(stack, job_id)
    assert how == said
    assert [one.partition(",")[0] for one in why] == (
        ["the way that was chosen does not run here"] if recorded == UNFIT else []
    )
    for row, like in zip(found, exact[1], strict=True):
        assert row["probabilities"] == pytest.approx(like["probabilities"], abs=5e-3)
    if said == EXACT:
        assert found == exact[1]


def test_a_way_that_loads_and_then_fails_is_closed_before_the_exact_one_comes(
    stack: Stack, predict: Callable[[dict[str, Any]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, told = rows_of(stack, predict({})), []
    machine = machine_kind(stack.settings.device)
    with stack.sessions.begin() as session:
        record_choice(session, 1, machine, content=Choice(OTHER, machine, ()).content(), reason=None)
    warm, close = Classifier.warm_up, Classifier.close

    def fails(self: Classifier) -> None:
        if self.way == OTHER:
            raise RuntimeError("there is no memory")
        warm(self)

    def closed(self: Classifier) -> None:
        told.append(self.way)
        close(self)

    monkeypatch.setattr(Classifier, "warm_up", fails)
    monkeypatch.setattr(Classifier, "close", closed)
    assert rows_of(stack, predict({})) == exact
    assert [way.engine for way in told] == ["openvino", "torch"]


OTHER = Way("openvino", "bf16", "direct", 8)


def logs_of(stack: Stack, job_id: int) -> list[str]:
    with stack.sessions.begin() as session:
        return [event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log"]


def keys_of(artifacts: ArtifactStore, job_id: int) -> list[str]:
    return sorted(one.key for one in artifacts.keys_below("jobs/") if one.key.startswith(f"jobs/{job_id}-"))


def rows_of(stack: Stack, job_id: int, attempt: int = 1) -> tuple[list[Any], list[Any]]:
    """Both files of a job whose attempt is run to its end."""
    predict_pictures(stack.attempt(job_id, attempt))
    with stack.sessions.begin() as session:
        payload = get_job(session, job_id).payload
    assert payload["parts"] == []
    keys = [payload["answers"][name]["key"] for name in ("predictions.csv", "predictions.jsonl")]
    table, lines = (stack.artifacts.get_bytes(key).decode() for key in keys)
    return list(csv.reader(io.StringIO(table))), [json.loads(line) for line in lines.splitlines()]


def test_an_archive_that_is_gone_or_empty_is_refused(
    stack: Stack, predict: Callable[[dict[str, Any]], int], artifacts: ArtifactStore
) -> None:
    with pytest.raises(ArchiveRejected):
        predict_pictures(stack.attempt(predict({"upload": "uploads/nothing"})))
    for name, data, said in (
        ("notes.txt", b"no picture", "the archive has no picture in it"),
        (
            "b/.thumbs/red.jpg",
            jpeg(),
            "looked at: 1 photo was passed over, since names that begin with a dot are hidden",
        ),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as packed:
            packed.writestr(name, data)
        artifacts.put_bytes("uploads/empty", out.getvalue())
        with pytest.raises(DatasetUnusable, match=said):
            predict_pictures(stack.attempt(predict({"upload": "uploads/empty"})))
        shutil.rmtree(stack.work)


def test_photos_of_an_archive_that_are_hidden_are_told_of_as_by_an_import(
    stack: Stack, predict: Callable[[dict[str, Any]], int], artifacts: ArtifactStore
) -> None:
    more = {"_dot_hidden/a_dot_jpg": jpeg(), "b/_dot_b_dot_jpg": jpeg(), "__MACOSX/b/_dot__red_dot_jpg": b"Mac OS X"}
    artifacts.put_bytes("uploads/some", archive(**more))
    job_id = predict({"upload": "uploads/some"})
    _, answered = rows_of(stack, job_id)
    assert [row["path"] for row in answered] == ["=1+1.jpg", "b/red.jpg"]
    _, hidden = logs_of(stack, job_id)
    assert hidden.startswith("2 photos were passed over, since names that begin with a dot are hidden (for example ")
