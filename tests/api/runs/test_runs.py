import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from store.db.models import Run
from store.db.records import StepRecord, record_batches
from store.states import State
from tests.api.records import MATRIX, VOCAB, Records
from tests.api.web import TestClient


def test_a_run_tells_what_made_it_and_what_it_left(client: TestClient, records: Records) -> None:
    run = records.finished(records.dataset(drawn=True))
    found = client.get(f"/runs/{run.id}").json()
    assert (found["state"], found["arch"], found["seed"], found["error_rate"]) == ("succeeded", "resnet18", 42, 0.25)
    assert found["dataset"] == {
        "name": "pets",
        "revision": "revision-of-pets",
        "revision_number": 1,
        "drawn": True,
        "breeds": 3,
        "items": 21,
    }
    assert [artifact["name"] for artifact in found["artifacts"]] == ["predictions.jsonl"]
    assert client.get(f"/jobs/{found['job']}").json()["run"] == run.id


def test_runs_are_listed_filtered_and_sorted(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    worse = records.finished(dataset, error_rate=0.5)
    better = records.finished(dataset, error_rate=0.1)
    waiting, _ = records.run(records.dataset("other"), arch="resnet34")

    def ids(query: str) -> list[int]:
        return [run["id"] for run in client.get(f"/runs{query}").json()["items"]]

    assert ids("") == [waiting.id, better.id, worse.id]
    assert ids("?sort=error_rate") == [better.id, worse.id, waiting.id]
    assert ids("?dataset=other") == [waiting.id]
    assert ids("?arch=resnet18") == [better.id, worse.id]
    assert ids("?state=succeeded") == [better.id, worse.id]
    assert ids("?kind=lr_find") == []
    first = client.get("/runs?sort=error_rate&limit=1").json()
    assert ids(f"?sort=error_rate&limit=5&cursor={first['next_cursor']}") == [worse.id, waiting.id]
    assert client.get("/runs?sort=nonsense").status_code == 422


def test_metrics_hold_the_epochs_and_every_step(client: TestClient, records: Records) -> None:
    run = records.finished()
    found = client.get(f"/runs/{run.id}/metrics").json()
    assert found["epochs"] == [
        {
            "phase": 0,
            "epoch": 0,
            "train_loss": 1.5,
            "valid_loss": 0.9,
            "error_rate": 0.25,
            "seconds": 2.0,
            "images_per_second": 10.0,
            "peak_memory_bytes": None,
        }
    ]
    assert found["batches"]["step"] == [0, 1]
    assert found["batches"]["phase"] == [0, 0]
    assert found["batches"]["raw_loss"] == [2.0, 2.0]
    assert found["batches"]["momentum"] == [0.9, 0.9]
    assert found["batches"]["train_loss"] == pytest.approx([1.9, 0.9])
    assert found["batches"]["lr"][0] == [1e-4, 1e-3, 1e-2]


def test_a_run_has_its_times_once_it_has_come_so_far(client: TestClient, records: Records) -> None:
    def times() -> list[Any]:
        (listed,) = client.get("/runs").json()["items"]
        shown = client.get(f"/runs/{run.id}").json()
        names = ("recipe", "created_at", "started_at", "finished_at", "seconds")
        assert [listed[name] for name in names] == [shown[name] for name in names]
        return [shown[name] for name in names]

    run, job = records.run(records.dataset())
    recipe, created, *unknown = times()
    assert (recipe, unknown) == ("fine_tune", [None, None, None])
    records.move(job, State.RUNNING)
    assert times()[3:] == [None, None]
    records.move(job, State.SUCCEEDED)
    _, _, started, finished, seconds = times()
    assert created <= started <= finished
    between = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    assert seconds == pytest.approx(between.total_seconds())


def test_a_long_runs_steps_can_be_thinned(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset())
    figures: dict[str, Any] = {"raw_loss": 2.0, "train_loss": 1.0, "lr": [1e-3] * 3, "momentum": 0.9}
    with records.sessions.begin() as session:
        record_batches(session, run.id, [StepRecord(**{**figures, "step": n, "phase": int(n > 4)}) for n in range(10)])
    batches = client.get(f"/runs/{run.id}/metrics?every=3").json()["batches"]
    assert batches["step"] == [0, 3, 4, 6, 9]
    assert batches["phase"] == [0, 0, 0, 1, 1]
    assert {len(column) for column in batches.values()} == {5}
    assert client.get(f"/runs/{run.id}/metrics?every=0").status_code == 422


def test_of_many_steps_some_are_sent_unless_all_are_asked_for(
    client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.runs.MOST_STEPS", 30)
    run, _ = records.run(records.dataset())
    figures: dict[str, Any] = {"train_loss": 1.0, "lr": [1e-3], "momentum": 0.9}
    with records.sessions.begin() as session:
        rows = [
            StepRecord(step=step, phase=int(step > 10), raw_loss=9.0 if step == 33 else 2.0, **figures)
            for step in range(100)
        ]
        record_batches(session, run.id, rows)
    found = client.get(f"/runs/{run.id}/metrics").json()
    sent = found["batches"]["step"]
    assert 10 < len(sent) <= 32
    assert {0, 10, 33, 99} <= set(sent), "each phase's end and a loss that jumps are kept"
    assert (sent, found["steps"]) == (sorted(sent), 100)
    assert client.get(f"/runs/{run.id}/metrics?every=1").json()["batches"]["step"] == list(range(100))


def test_a_waiting_run_has_empty_metrics(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset())
    assert client.get(f"/runs/{run.id}/metrics").json()["epochs"] == []


def test_the_confusion_is_the_stored_matrix_with_what_to_read_first(client: TestClient, records: Records) -> None:
    run = records.finished()
    found = client.get(f"/runs/{run.id}/confusion?min_val=2").json()
    assert found["vocab"] == VOCAB
    assert found["matrix"] == MATRIX
    assert (found["rows"], found["columns"], found["n"]) == ("actual", "predicted", 21)
    assert found["most_confused"] == [
        {"actual": "pug", "predicted": "Birman", "count": 3},
        {"actual": "Abyssinian", "predicted": "Birman", "count": 2},
    ]
    pug = found["per_class"][2]
    assert (pug["breed"], pug["support"], pug["precision"]) == ("pug", 7, 1.0)
    assert pug["recall"] == pytest.approx(4 / 7)
    assert len(client.get(f"/runs/{run.id}/confusion").json()["most_confused"]) == 3


@pytest.mark.parametrize(
    ("query", "field", "value", "hint"),
    [
        ("confusion?min_val=-3", "query.min_val", "'-3'", "Give 1 or more."),
        ("confusion?min_val=0", "query.min_val", "'0'", "Give 1 or more."),
        ("confusion?min_val=two", "query.min_val", "'two'", "Give a whole number."),
        ("top-losses?k=0", "query.k", "'0'", "Give 1 or more."),
        ("top-losses?k=1001", "query.k", "'1001'", "Give 1000 or less."),
    ],
)
def test_a_number_out_of_range_is_named_with_what_to_give(
    client: TestClient, records: Records, query: str, field: str, value: str, hint: str
) -> None:
    run = records.finished()
    answer = client.get(f"/runs/{run.id}/{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [answer.json()[name] for name in ("field", "value", "hint")] == [field, value, hint]


def test_top_losses_come_worst_first(client: TestClient, records: Records) -> None:
    run = records.finished()
    found = client.get(f"/runs/{run.id}/top-losses?k=2").json()
    assert [item["item"] for item in found] == [2, 1]
    assert [item["path"] for item in found] == ["Birman_2.jpg", "Birman_1.jpg"]
    assert [item["loss"] for item in found] == [None, 3.5]
    assert found[0]["image"] == f"/runs/{run.id}/items/2/image"
    assert len(client.get(f"/runs/{run.id}/top-losses?k=1000").json()) == 3


@pytest.mark.parametrize("drawn", [False, True])
def test_every_answer_about_a_runs_figures_says_whether_its_pictures_are_drawn(
    client: TestClient, records: Records, drawn: bool
) -> None:
    run = records.finished(records.dataset(drawn=drawn))
    for what in ("metrics", "confusion"):
        assert client.get(f"/runs/{run.id}/{what}").json()["drawn"] is drawn
    for what in ("top-losses", "predictions"):
        assert client.get(f"/runs/{run.id}/{what}").headers["pedigree-drawn"] == str(drawn).lower()


def test_predictions_are_the_artifacts_lines(client: TestClient, records: Records) -> None:
    run = records.finished()
    answer = client.get(f"/runs/{run.id}/predictions")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["item"] for line in answer.text.splitlines()] == [0, 1, 2]


@pytest.mark.parametrize("what", ["confusion", "top-losses", "predictions"])
def test_what_a_run_does_not_have_yet_is_not_ready(client: TestClient, records: Records, what: str) -> None:
    run, job = records.run(records.dataset())
    answer = client.get(f"/runs/{run.id}/{what}")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert f"job {job.id}" in answer.json()["detail"]
    records.move(job, State.RUNNING, State.FAILED)
    assert "failed" in client.get(f"/runs/{run.id}/{what}").json()["detail"]


@pytest.mark.parametrize("what", ["confusion", "top-losses", "predictions"])
def test_what_a_run_never_has_is_the_wrong_kind(client: TestClient, records: Records, what: str) -> None:
    run, _ = records.run(records.dataset(), kind="lr_find")
    answer = client.get(f"/runs/{run.id}/{what}")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_kind")


@pytest.mark.parametrize("what", ["", "/metrics", "/confusion", "/top-losses", "/predictions", "/items/0/image"])
@pytest.mark.parametrize("run", ["7", str(2**31 - 1), str(2**31), str(2**63), str(10**30)])
def test_an_unknown_run_is_not_found(client: TestClient, what: str, run: str) -> None:
    assert client.get(f"/runs/{run}{what}").status_code == (404 if int(run) < 2**31 else 422)


def _run_with_photos(records: Records, folder: Path) -> Run:
    return records.run(records.dataset_with_photos(folder))[0]


def test_an_items_image_is_the_original_photo(client: TestClient, records: Records, tmp_path: Path) -> None:
    run = _run_with_photos(records, tmp_path / "photos")
    for item, file in enumerate(["Birman_1.jpg", "Birman_2.jpg", "pug_1.jpg"]):
        answer = client.get(f"/runs/{run.id}/items/{item}/image")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content == (tmp_path / "photos" / file).read_bytes()
    assert Image.open(io.BytesIO(answer.content)).size == (40, 30)


@pytest.mark.parametrize("item", ["3", "-1", "99999999999"])
def test_an_item_out_of_range_is_not_found_and_the_count_is_told(
    client: TestClient, records: Records, tmp_path: Path, item: str
) -> None:
    run = _run_with_photos(records, tmp_path / "photos")
    answer = client.get(f"/runs/{run.id}/items/{item}/image")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == f"the dataset has 3 items, and no item {item}"
    assert answer.json()["hint"] == "Give a number from 0 to 2."


@pytest.mark.parametrize("item", ["..%2f..%2fetc%2fpasswd", "x", str(10**30)])
def test_what_is_no_item_at_all_is_refused(client: TestClient, records: Records, tmp_path: Path, item: str) -> None:
    run = _run_with_photos(records, tmp_path / "photos")
    assert client.get(f"/runs/{run.id}/items/{item}/image").status_code in {404, 422}


def test_photos_are_fetched_where_the_store_is_not_a_folder_of_this_machine(
    client: TestClient, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run_with_photos(records, tmp_path / "photos")
    finished = records.finished()
    monkeypatch.setattr("store.artifacts.ArtifactStore.open_local", lambda *_: None)
    assert client.get(f"/runs/{run.id}/items/0/image").status_code == 200
    assert len(client.get(f"/runs/{finished.id}/predictions").text.splitlines()) == 3
    assert list((tmp_path / "cache" / "datasets").glob("*/images.tar"))
