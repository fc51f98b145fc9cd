import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.datasets import review_rankings
from store.db.models import Dataset, Interpretation
from tests.api.conftest import until
from tests.api.datasets.doubtful import WRONG, manifest_of, photos, predicted_run, predictions, revise
from tests.api.kept.conftest import BLUE, GREEN, RED, ask, register
from tests.api.records import Records
from tests.api.web import TestClient


def queue(client: TestClient, name: str = "pets", **query: Any) -> dict[str, Any]:  # noqa: ANN401 - any parameter
    answer = client.get(f"/datasets/{name}/review", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_doubtful_labels_come_with_what_they_may_be_instead(
    client: TestClient, records: Records, pets: Dataset
) -> None:
    run = predicted_run(records, pets)
    found = queue(client)
    items = {item.path: item for item in manifest_of(records, pets).items}
    assert {one["item"]: one["suggested"]["breed"] for one in found["items"]} == WRONG
    scores = [one["score"] for one in found["items"]]
    assert scores == sorted(scores, reverse=True)
    first = found["items"][0]
    # The surest model is the one that speaks loudest.
    assert first["item"] == 20
    assert first["label"] == items[first["path"]].label == "pug"
    assert first["suggested"]["probability"] == pytest.approx(0.92)
    assert first["label_probability"] == pytest.approx(0.04)
    assert first["score"] == pytest.approx((1 + 0.92 - 0.04) / 2)
    assert first["guesses"][0]["breed"] == "Abyssinian"
    assert (first["reason"], first["trained_on"]) == ("doubtful", False)
    assert client.get(first["image"]).headers["content-type"] == "image/jpeg"
    about = {name: found[name] for name in ("dataset", "revision", "run", "side", "examined", "waiting")}
    own = {"dataset": "pets", "revision": pets.revision, "run": run.id}
    assert about == {**own, "side": "validation", "examined": 24, "waiting": 6}
    assert found["wrong"] == pytest.approx(6, abs=0.5)


def test_pages_follow_each_other_though_another_run_comes_between(
    client: TestClient, records: Records, pets: Dataset
) -> None:
    run = predicted_run(records, pets)
    first = queue(client, limit=4)
    predicted_run(records, pets, {})
    second = queue(client, limit=4, cursor=first["next_cursor"])
    assert (second["run"], second["next_cursor"]) == (run.id, None)
    seen = [one["item"] for page in (first, second) for one in page["items"]]
    assert sorted(seen) == sorted(WRONG)
    assert queue(client)["items"] == []
    assert len(queue(client, run=run.id)["items"]) == 6


def test_top_losses_are_of_the_pictures_that_the_run_takes_for_another(
    client: TestClient, records: Records, pets: Dataset
) -> None:
    predicted_run(records, pets)
    found = queue(client, source="top_losses")
    assert [one["item"] for one in found["items"]] == sorted(WRONG, reverse=True)
    assert found["items"][0]["score"] == 29.0
    assert found["wrong"] is None


def test_an_earlier_revision_s_predictions_count_for_the_labels_of_now(
    client: TestClient, records: Records, pets: Dataset, tmp_path: Path
) -> None:
    predicted_run(records, pets)
    folder = tmp_path / "pets"
    (folder / "pug_20.jpg").unlink()
    (folder / "Abyssinian_00.jpg").rename(folder / "pug_00.jpg")
    records.dataset_of(folder, "pets")
    found = queue(client)
    # What was renamed is another path; what was dropped is no more; the others have moved on by two and one.
    assert found["examined"] == 22
    manifest = [one["path"] for one in found["items"]]
    assert sorted(manifest) == ["Abyssinian_03.jpg", "Birman_09.jpg", "Birman_12.jpg", "pug_17.jpg"]
    for one in found["items"]:
        assert client.get(one["image"]).content == (folder / one["path"]).read_bytes()


def test_of_an_interpretation_on_all_it_is_told_what_was_trained_on(
    client: TestClient, records: Records, sessions: sessionmaker[Session], pets: Dataset, tmp_path: Path
) -> None:
    run = predicted_run(records, photos(records, tmp_path / "other", "others"))
    refused = client.get("/datasets/pets/review", params={"run": run.id})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_ready")
    with sessions.begin() as session:
        own = session.get_one(Interpretation, (run.id, run.dataset_id))
        names = ("job_id", "vocab", "matrix", "items", "valid_loss", "error_rate")
        same = {name: getattr(own, name) for name in names}
        session.add(Interpretation(run_id=run.id, dataset_id=pets.id, **same))
    lines = predictions(manifest_of(records, pets), trained_on=True)
    records.artifact(run, f"predictions-{pets.id}.jsonl", lines.encode())
    found = queue(client, run=run.id)
    assert (found["side"], len(found["items"])) == ("all", 6)
    assert all(one["trained_on"] for one in found["items"])
    assert client.get(found["items"][0]["image"]).status_code == 200


def test_what_was_said_to_be_right_does_not_come_again(client: TestClient, records: Records, pets: Dataset) -> None:
    predicted_run(records, pets)
    answer = revise(client, pets.revision, {"item": 20, "action": "keep"}, {"item": 17, "action": "keep"})
    assert (answer.status_code, answer.json()["state"]) == (202, "succeeded"), answer.text
    found = queue(client)
    assert found["revision"] == pets.revision
    assert {one["item"] for one in found["items"]} == set(WRONG) - {20, 17}
    assert found["waiting"] == 4


def test_photos_that_were_sent_come_by_what_was_said_of_them(
    client: TestClient, records: Records, pets: Dataset
) -> None:
    run = predicted_run(records, pets)
    assert client.post("/models", json={"run": run.id, "alias": "production"}).is_success
    told = ask(client, RED, keep="photo")["id"]
    ask(client, BLUE)
    unsure = ask(client, GREEN, keep="photo")
    until(lambda: len(client.get("/predictions").json()["items"]) == 3)
    until(lambda: client.get(f"/predictions/{unsure['id']}").json()["photo"])
    until(lambda: client.get(f"/predictions/{told}").json()["photo"])
    client.post(f"/predictions/{told}/feedback", json={"breed": "pug"})
    (one,) = queue(client, source="feedback")["items"]
    assert (one["item"], one["label"], one["suggested"]["breed"]) == (told, "pug", "Abyssinian")
    assert (one["path"], one["reason"]) == (None, "feedback")
    assert client.get(one["image"]).content == RED
    listed = [one["item"] for one in queue(client, source="unsure")["items"]]
    assert listed == ([] if unsure["sure"] else [unsure["id"]])
    assert queue(client, source="unknown")["items"] == []
    assert revise(client, pets.revision, {"item": told, "action": "drop"}).json()["state"] == "succeeded"
    assert queue(client, source="feedback")["items"] == []


def test_photos_of_models_of_other_datasets_do_not_come(client: TestClient, records: Records, pets: Dataset) -> None:
    register(client, records)
    other = ask(client, RED, keep="photo")["id"]
    until(lambda: client.get(f"/predictions/{other}").json()["photo"])
    client.post(f"/predictions/{other}/feedback", json={"breed": "pug"})
    with records.sessions.begin() as session:
        session.get_one(Dataset, pets.id).name = "cats"
    assert queue(client, "cats", source="feedback")["items"] == []


def test_before_anything_was_trained_there_is_nothing_to_go_by(client: TestClient, pets: Dataset) -> None:
    assert pets.items == 24
    answer = client.get("/datasets/pets/review")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert answer.json()["hint"]
    assert queue(client, source="feedback")["items"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/datasets/none/review", 404),
        ("/datasets/pets/review?run=999", 404),
        ("/datasets/pets/review?source=all", 422),
        ("/datasets/pets/review?limit=0", 422),
        ("/datasets/pets/review?cursor=x", 400),
        ("/datasets/pets/review?source=feedback&cursor=WzEsMl0", 400),
        ("/datasets/Pets/review", 422),
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, records: Records, pets: Dataset, path: str, status: int) -> None:
    predicted_run(records, pets)
    assert client.get(path).status_code == status


@pytest.mark.parametrize("content", [b"{", b'{"item": -1}', b'{"item": 99}', b"[]", b'{"item": 0, "probabilities": 3}'])
def test_damaged_predictions_are_an_error_with_a_reason(
    client: TestClient, records: Records, pets: Dataset, content: bytes
) -> None:
    run = predicted_run(records, pets)
    records.artifact(run, "predictions.jsonl", content)
    answer = client.get("/datasets/pets/review")
    assert (answer.status_code, answer.json()["code"]) == (500, "artifact_missing")


def test_scores_that_are_no_numbers_are_left_out(client: TestClient, records: Records, pets: Dataset) -> None:
    run = predicted_run(records, pets)
    lines = predictions(manifest_of(records, pets)).splitlines()
    row = json.loads(lines[20])
    row["probabilities"] = dict.fromkeys(row["probabilities"])
    lines[20] = json.dumps(row)
    records.artifact(run, "predictions.jsonl", "\n".join(lines).encode())
    assert queue(client)["examined"] == 23


def test_predictions_without_a_bound_are_not_read(
    client: TestClient, records: Records, pets: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted_run(records, pets)
    monkeypatch.setattr(review_rankings, "MOST_BYTES", 100)
    assert client.get("/datasets/pets/review").status_code == 400
