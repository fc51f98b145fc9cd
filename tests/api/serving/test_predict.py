import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.serving.answers import Terms, prediction
from ml.decode.images import Limits
from ml.serve.judgement import JudgedScores
from ml.serve.way import Way
from store.db.aliases import set_alias
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import VOCAB, Records, jpeg
from tests.api.web import TestClient
from tests.patience import PATIENCE_SECONDS

GREEN = jpeg((0, 220, 0))


def send(client: TestClient, *pictures: bytes, query: str = "") -> Any:  # noqa: ANN401 - a response
    files = [("file", (f"{position}.jpg", picture)) for position, picture in enumerate(pictures)]
    return client.post(f"/predict{query}", files=files)


def register(client: TestClient, records: Records, content: bytes = b"one", alias: str = "production") -> int:
    dataset = records.dataset()
    run = records.served(dataset, content=content)
    version: int = client.post("/models", json={"run": run.id, "alias": alias}).json()["version"]
    return version


def classifier_of(app: FastAPI, name: str = "production") -> FakeClassifier:
    served = app.state.services.predictor.serve(name)
    assert isinstance(served.classifier, FakeClassifier)
    return served.classifier


def test_a_picture_gets_its_breed_with_every_probability(client: TestClient, records: Records) -> None:
    version = register(client, records)
    answer = send(client, GREEN, query="?top_k=2")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["model"] == {
        "version": version,
        "run": 1,
        "arch": "resnet18",
        "drawn": False,
        "calibrated": False,
        "loss": "cross_entropy",
        "scores": "sum_to_one",
        "note": None,
    }
    assert found["tta"] is False
    (prediction,) = found["predictions"]
    assert (prediction["filename"], prediction["breed"], prediction["species"]) == ("0.jpg", "Birman", "cat")
    assert list(prediction["probabilities"]) == VOCAB
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert prediction["top"][0]["breed"] == "Birman"
    assert len(prediction["top"]) == 2
    assert prediction["probability"] == prediction["top"][0]["probability"] == prediction["probabilities"]["Birman"]


def test_an_answer_is_sure_from_a_probability_of_a_half_on(client: TestClient, records: Records) -> None:
    register(client, records)
    # Of black all three breeds are equally likely.
    found = send(client, GREEN, jpeg((0, 0, 0))).json()["predictions"]
    assert [one["sure"] for one in found] == [True, False]
    assert found[1]["probability"] == pytest.approx(1 / 3, abs=0.01)
    for score, sure in ((0.5, True), (np.nextafter(0.5, 0), False)):
        row = np.array([score, 0.3, 0.1])
        judged = JudgedScores(row, row, row, None)
        assert prediction("a.jpg", judged, None, ("a", "b", "c"), Terms(1, 0.05)).sure is sure


def test_a_model_that_learned_from_drawings_says_so(client: TestClient, records: Records) -> None:
    run = records.served(records.dataset("sample", drawn=True))
    client.post("/models", json={"run": run.id, "alias": "production"})
    assert send(client, GREEN).json()["model"]["drawn"] is True


def test_scores_of_a_model_of_binary_cross_entropy_do_not_sum_to_one_and_it_says_so(
    client: TestClient, records: Records
) -> None:
    run = records.served(loss="binary_cross_entropy")
    client.post("/models", json={"run": run.id, "alias": "production"})
    for query in ("", "?tta=true"):
        found = send(client, jpeg((0, 0, 0)), query=query).json()
        assert (found["model"]["loss"], found["model"]["scores"]) == ("binary_cross_entropy", "independent")
        assert "do not sum to 1" in found["model"]["note"]
        # Black is none of the three colours; each breed may score low, or high, on its own.
        assert sum(found["predictions"][0]["probabilities"].values()) == pytest.approx(1.5, abs=0.05)


def test_an_average_is_taken_over_the_copies_of_each_picture(
    client: TestClient, records: Records, app: FastAPI
) -> None:
    register(client, records)
    classifier = classifier_of(app)
    answer = send(client, GREEN, b"no picture", jpeg((0, 0, 220)), query="?tta=true&top_k=1")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["tta"] is True
    assert [entry.get("breed") for entry in found["predictions"]] == ["Birman", None, "pug"]
    copies = classifier.prepare_copies(GREEN, Limits())
    expected = classifier.judge(list(classifier.run(copies))).raw
    assert list(found["predictions"][0]["probabilities"].values()) == pytest.approx(expected.tolist(), rel=1e-5)
    plain = send(client, GREEN).json()["predictions"][0]["probability"]
    assert found["predictions"][0]["probability"] < plain


def test_a_single_broken_picture_is_the_answers_error_with_copies_too(client: TestClient, records: Records) -> None:
    register(client, records)
    assert send(client, b"no picture", query="?tta=true").status_code == 415


def test_several_pictures_come_back_in_order(client: TestClient, records: Records) -> None:
    register(client, records)
    found = send(client, jpeg((0, 0, 220)), jpeg((220, 0, 0)), GREEN, query="?top_k=99").json()["predictions"]
    assert [prediction["breed"] for prediction in found] == ["pug", "Abyssinian", "Birman"]
    assert [prediction["species"] for prediction in found] == ["dog", "cat", "cat"]
    assert len(found[0]["top"]) == 3


def test_one_broken_picture_of_several_fails_alone(client: TestClient, records: Records) -> None:
    register(client, records)
    answer = send(client, GREEN, b"no picture", GREEN[:-12], GREEN)
    assert answer.status_code == 200
    entries = answer.json()["predictions"]
    assert [entry.get("breed") for entry in entries] == ["Birman", None, None, "Birman"]
    assert entries[1]["filename"] == "1.jpg"
    assert [entries[n]["error"]["code"] for n in (1, 2)] == ["not_an_image", "truncated"]


@pytest.mark.parametrize(
    ("picture", "status", "code"),
    [
        (b"no picture", 415, "not_an_image"),
        (b"", 415, "not_an_image"),
        (GREEN[:-12], 422, "truncated"),
        (jpeg(size=(1, 1)), 422, "too_small"),
        (jpeg(size=(200, 200)), 422, "too_many_pixels"),
    ],
)
def test_a_single_broken_picture_is_the_answers_error(
    settings: Settings, records: Records, picture: bytes, status: int, code: str
) -> None:
    app = create_app(settings.model_copy(update={"max_image_pixels": 30_000}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        register(client, records)
        answer = send(client, picture)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_sizes_and_counts_are_limited(settings: Settings, records: Records) -> None:
    limits = {"max_image_bytes": 2000, "max_predict_files": 2, "max_predict_bytes": 1024}
    app = create_app(settings.model_copy(update=limits), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        register(client, records)
        assert send(client, GREEN + bytes(3000)).json()["code"] == "too_many_bytes"
        assert send(client, GREEN, GREEN, GREEN).status_code == 413
        whole = send(client, bytes(2 * 1024 * 1024))
        assert (whole.status_code, whole.json()["code"]) == (413, "payload_too_large")


def test_without_a_model_the_answer_says_what_to_do(client: TestClient) -> None:
    answer = send(client, GREEN)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_model")
    assert answer.json()["request"] == {"method": "POST", "path": "/models", "body": {"alias": "production"}}
    assert send(client, GREEN, query="?model=nonsense").status_code == 404
    assert send(client, GREEN, query="?model=99999999999").status_code == 404


@pytest.mark.parametrize("query", ["?top_k=0", "?top_k=x", "?tta=perhaps", "?model=%00", "?model=../x"])
def test_a_wrong_question_is_refused(client: TestClient, query: str) -> None:
    assert send(client, GREEN, query=query).status_code == 422


def test_no_file_at_all_is_refused(client: TestClient, records: Records) -> None:
    register(client, records)
    for answer in (
        client.post("/predict"),
        client.post("/predict", files={"file": (None, "text")}),
        client.post("/predict", files={"other": GREEN}),
    ):
        assert answer.status_code == 422, answer.text


def test_an_alias_moves_without_a_dropped_request(client: TestClient, records: Records, app: FastAPI) -> None:
    old = register(client, records, b"old")
    assert send(client, GREEN).json()["model"]["version"] == old
    slow = classifier_of(app)
    slow.may_go.clear()
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(send, client, GREEN)
        until(lambda: len(slow.batches) == 2)
        new = register(client, records, b"new")
        assert classifier_of(app).marker == b"new"
        slow.may_go.set()
        assert begun.result().json()["model"]["version"] == old
    assert classifier_of(app).warm
    assert send(client, GREEN).json()["model"]["version"] == new
    assert send(client, GREEN, query=f"?model={old}").json()["model"]["version"] == old


def test_a_model_answers_from_the_moment_that_its_alias_is_said_to_be_set(
    client: TestClient, records: Records, app: FastAPI
) -> None:
    predictor = app.state.services.predictor
    predictor.stop()  # the watcher, which would follow a moment later
    first = register(client, records, b"first")
    assert predictor.ready("production").version == first
    second = register(client, records, b"second")
    assert predictor.ready("production").version == second
    client.put("/models/aliases/production", json={"version": first})
    assert predictor.ready("production").version == first


def test_a_look_that_began_before_an_alias_moved_does_not_bring_the_old_model_back(
    settings: Settings, records: Records
) -> None:
    loading, may_go = threading.Event(), threading.Event()

    def load(folder: Path, way: Way | None) -> FakeClassifier:
        assert way is None
        loaded = FakeClassifier.load(folder)
        if loaded.marker == b"slow":
            loading.set()
            assert may_go.wait(PATIENCE_SECONDS)
        return loaded

    app = create_app(settings, load=load)
    predictor = app.state.services.predictor
    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor(1) as pool:
        predictor.stop()  # the watcher; this test looks itself
        fast = register(client, records, b"fast")
        slow = client.post("/models", json={"run": records.served(content=b"slow").id}).json()["version"]
        with records.sessions.begin() as session:
            set_alias(session, "production", slow)
        look = pool.submit(predictor.follow, "production")
        assert loading.wait(PATIENCE_SECONDS)
        with records.sessions.begin() as session:
            set_alias(session, "production", fast)
        may_go.set()
        look.result()
        assert predictor.ready("production").version == fast


def test_a_dropped_alias_serves_nothing(client: TestClient, records: Records) -> None:
    register(client, records)
    register(client, records, alias="best")
    assert send(client, GREEN, query="?model=best").status_code == 200
    assert client.delete("/models/aliases/best").status_code == 204
    assert client.delete("/models/aliases/production").status_code == 204
    until(lambda: send(client, GREEN, query="?model=best").status_code == 404)
    until(lambda: send(client, GREEN).status_code == 503)


def test_an_alias_that_another_process_moved_is_noticed(settings: Settings, records: Records) -> None:
    mine, theirs = (create_app(settings, load=FakeClassifier.load) for _ in range(2))
    with (
        TestClient(mine, base_url="http://localhost") as here,
        TestClient(theirs, base_url="http://localhost") as there,
    ):
        old = register(here, records, b"old")
        until(lambda: send(there, GREEN).json()["model"]["version"] == old)
        new = register(here, records, b"new")
        until(lambda: send(there, GREEN).json()["model"]["version"] == new)


def test_a_cache_shared_with_another_database_gives_each_its_own_model(
    client: TestClient, records: Records, settings: Settings
) -> None:
    records.served(content=b"of another database")
    stale = settings.cache / "models" / "1"
    stale.mkdir(parents=True)
    (stale / "model.safetensors").write_bytes(b"stale")
    (stale / "model.json").write_text('{"arch": "resnet50", "vocab": ["a", "b"], "drawn": true}')
    client.post("/models", json={"run": 1, "alias": "production"})
    assert send(client, GREEN).json()["model"]["arch"] == "resnet18"


def test_the_models_used_last_and_productions_stay_loaded(client: TestClient, records: Records, app: FastAPI) -> None:
    production = register(client, records)
    versions = [register(client, records, alias=f"v{n}") for n in range(4)]
    for version in versions:
        assert send(client, GREEN, query=f"?model={version}").status_code == 200
    loaded = app.state.services.predictor._loaded
    assert len(loaded) == 3
    assert production in loaded
    assert versions[-1] in loaded
    assert send(client, GREEN, query=f"?model={versions[0]}").json()["model"]["version"] == versions[0]


def test_production_is_followed_however_many_names_are_asked_for(
    client: TestClient, records: Records, app: FastAPI
) -> None:
    production = register(client, records)
    for zeros in range(1, 17):
        for version in (production, register(client, records, alias="other")) if zeros == 1 else (1, 2):
            assert send(client, GREEN, query=f"?model={'0' * zeros}{version}").status_code == 200
    assert send(client, GREEN, query="?model=001").status_code == 200
    assert app.state.services.predictor.ready("production").version == production


def test_a_model_whose_files_are_gone_is_an_error_and_the_old_one_serves_on(
    client: TestClient, records: Records, app: FastAPI
) -> None:
    old = register(client, records)
    assert send(client, GREEN).status_code == 200
    broken = records.finished(records.dataset())
    refused = client.post("/models", json={"run": broken.id, "alias": "production"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_ready")
    version = client.post("/models", json={"run": broken.id}).json()["version"]
    assert client.put("/models/aliases/production", json={"version": version}).status_code == 409
    assert send(client, GREEN, query=f"?model={version}").status_code >= 400
    aliases = {model["version"]: model["aliases"] for model in client.get("/models").json()["items"]}
    assert aliases == {old: ["production"], version: []}
    # Another process may point it there all the same.
    with records.sessions.begin() as session:
        set_alias(session, "production", version)
    until(lambda: "production" in app.state.services.predictor._complaints)
    assert send(client, GREEN).json()["model"]["version"] == old


def test_a_failing_forward_pass_is_an_error_of_its_requests_alone(
    client: TestClient, records: Records, app: FastAPI
) -> None:
    register(client, records)
    classifier = classifier_of(app)
    classifier.failure = RuntimeError("out of luck")
    answer = send(client, GREEN)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "luck" not in answer.text
    classifier.failure = None
    assert send(client, GREEN).status_code == 200


def test_a_full_queue_is_429_and_what_waits_shares_passes(settings: Settings, records: Records) -> None:
    app = create_app(settings.model_copy(update={"predict_queue": 6, "predict_batch": 4}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor(6) as pool:
        register(client, records)
        classifier = classifier_of(app)
        classifier.batches.clear()
        classifier.may_go.clear()
        batcher = app.state.services.batcher
        waiting = [pool.submit(send, client, GREEN)]
        until(lambda: classifier.batches == [1])
        waiting += [pool.submit(send, client, GREEN) for _ in range(5)]
        until(lambda: len(batcher._waiting) == 5)
        refused = send(client, GREEN)
        assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
        assert int(refused.headers["retry-after"]) >= 1
        classifier.may_go.set()
        assert {one.result().status_code for one in waiting} == {200}
        # The five that gathered went as a full batch and the rest.
        assert classifier.batches == [1, 4, 1]
        assert send(client, GREEN).status_code == 200


def test_copies_count_against_the_queue_and_leave_room_in_the_passes(settings: Settings, records: Records) -> None:
    app = create_app(settings.model_copy(update={"predict_queue": 12, "predict_batch": 4}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor(6) as pool:
        register(client, records)
        classifier = classifier_of(app)
        classifier.batches.clear()
        classifier.may_go.clear()
        batcher = app.state.services.batcher
        waiting = [pool.submit(send, client, GREEN)]
        until(lambda: classifier.batches == [1])
        waiting.append(pool.submit(send, client, GREEN, GREEN, query="?tta=true"))
        until(lambda: len(batcher._waiting) == 10)
        refused = send(client, GREEN, query="?tta=true")
        assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
        assert "11 photos" in refused.json()["detail"]
        # What has five copies does not fit any more; a plain picture does.
        waiting.append(pool.submit(send, client, GREEN))
        until(lambda: len(batcher._waiting) == 11)
        classifier.may_go.set()
        assert {one.result().status_code for one in waiting} == {200}
        assert classifier.batches == [1, 4, 4, 3]
        assert batcher._accepted == 0


def test_no_thread_outlives_the_app(settings: Settings) -> None:
    with TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost") as client:
        assert client.get("/healthz").status_code == 200
        assert {"forward", "model-watcher"} <= {thread.name for thread in threading.enumerate()}
    assert not {"forward", "model-watcher"} & {thread.name for thread in threading.enumerate()}
