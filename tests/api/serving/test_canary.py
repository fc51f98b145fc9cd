import gc
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.serving.canary import is_for_canary
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.serving.test_predict import GREEN, classifier_of, register, send
from tests.api.web import TestClient

ALIAS = "/models/aliases/production"
PHOTOS = [jpeg((0, shade, shade)) for shade in range(60, 220, 4)]


@pytest.fixture
def pair(client: TestClient, records: Records) -> tuple[int, int]:
    """Production's version, and one registered after it."""
    old = register(client, records, b"old")
    new = client.post("/models", json={"run": records.served(content=b"new").id}).json()["version"]
    return old, new


def put(client: TestClient, old: int, new: int, share: float) -> None:
    answer = client.put(ALIAS, json={"version": old, "canary": {"version": new, "share": share}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["canary"] == {"version": new, "share": share}


def answering(client: TestClient, *pictures: bytes, query: str = "") -> int:
    answer = send(client, *pictures, query=query)
    assert answer.status_code == 200, answer.text
    version: int = answer.json()["model"]["version"]
    return version


def test_a_share_of_all_photos_is_as_large_as_it_is_said_to_be_and_grows_without_losing_any() -> None:
    photos = [b"photo %d" % number for number in range(20_000)]
    few, many = ({one for one in photos if is_for_canary(one, 7, share)} for share in (0.05, 0.3))
    assert len(few) == pytest.approx(1000, abs=100)
    assert len(many) == pytest.approx(6000, abs=200)
    assert few < many
    assert all(is_for_canary(one, 7, 1.0) for one in photos)
    assert not any(is_for_canary(one, 7, 0.0) for one in photos)
    other = {one for one in photos if is_for_canary(one, 8, 0.3)}
    assert len(other & many) == pytest.approx(1800, abs=150)


def test_a_canary_answers_its_share_and_says_so(client: TestClient, pair: tuple[int, int]) -> None:
    old, new = pair
    put(client, old, new, 0.5)
    expected = [new if is_for_canary(photo, new, 0.5) else old for photo in PHOTOS]
    assert {*expected} == {old, new}
    assert [answering(client, photo) for photo in PHOTOS] == expected
    # A request goes by its first photo; one that names a version gets that one.
    assert [answering(client, photo, GREEN) for photo in PHOTOS] == expected
    assert {answering(client, photo, query=f"?model={old}") for photo in PHOTOS} == {old}
    models = {model["version"]: model for model in client.get("/models").json()["items"]}
    assert (models[old]["canary_of"], models[new]["canary_of"]) == ([], ["production"])
    figures = client.get("/metrics").text
    for version in pair:
        answers = 2 * expected.count(version) + (len(PHOTOS) if version == old else 0)
        assert f'pedigree_predict_requests_total{{outcome="answered",version="{version}"}} {answers}.0' in figures
    assert f'pedigree_predict_top_probability_count{{version="{new}"}} {3 * expected.count(new)}.0' in figures


def test_a_canary_is_promoted_or_cancelled_in_one_call(client: TestClient, pair: tuple[int, int]) -> None:
    old, new = pair
    put(client, old, new, 1.0)
    assert answering(client, GREEN) == new
    assert client.delete(f"{ALIAS}/canary").status_code == 204
    assert answering(client, GREEN) == old
    put(client, old, new, 1.0)
    promoted = client.post(f"{ALIAS}/canary/promote")
    assert promoted.json() == {"alias": "production", "version": new, "canary": None, "before": old}
    assert answering(client, GREEN) == new
    put(client, new, old, 1.0)
    assert client.post(f"{ALIAS}/rollback").json()["version"] == old
    assert client.get(ALIAS).json()["canary"] is None


def test_another_replica_follows_a_canary_and_its_end(settings: Settings, records: Records) -> None:
    mine, theirs = (create_app(settings, load=FakeClassifier.load) for _ in range(2))
    with (
        TestClient(mine, base_url="http://localhost") as here,
        TestClient(theirs, base_url="http://localhost") as there,
    ):
        old = register(here, records, b"old")
        new = here.post("/models", json={"run": records.served(content=b"new").id}).json()["version"]
        put(here, old, new, 1.0)
        until(lambda: answering(there, GREEN) == new)
        here.delete(f"{ALIAS}/canary")
        until(lambda: answering(there, GREEN) == old)


def test_a_canary_that_cannot_be_loaded_leaves_the_version_serving(settings: Settings, records: Records) -> None:
    mine, theirs = (create_app(settings, load=FakeClassifier.load) for _ in range(2))
    with TestClient(mine, base_url="http://localhost") as here:
        old = register(here, records, b"old")
        run = records.served(content=b"new")
        new = here.post("/models", json={"run": run.id}).json()["version"]
        put(here, old, new, 1.0)
        records.artifact(run, "model.safetensors", b"changed")
        records.artifacts.put_bytes(f"runs/{run.id}/model.safetensors", b"other bytes than recorded")
    with TestClient(theirs, base_url="http://localhost") as there:
        predictor = theirs.state.services.predictor
        until(lambda: "production" in predictor._complaints)
        assert answering(there, GREEN) == old


def test_a_canary_stays_in_memory_beside_what_is_asked_for(
    client: TestClient, pair: tuple[int, int], records: Records, app: FastAPI
) -> None:
    old, new = pair
    put(client, old, new, 1.0)
    canary = classifier_of(app, str(new))
    for number in range(4):
        other = client.post("/models", json={"run": records.served(content=b"%d" % number).id}).json()["version"]
        assert answering(client, GREEN, query=f"?model={other}") == other
    predictor = app.state.services.predictor
    assert {old, new} < set(predictor._loaded)
    assert len(predictor._loaded) == 4
    assert answering(client, GREEN) == new
    assert classifier_of(app, str(new)) is canary


def test_a_photo_that_is_no_base64_is_refused_with_a_canary_too(client: TestClient, pair: tuple[int, int]) -> None:
    put(client, *pair, 1.0)
    refused = client.post("/predict", json={"file": "$$$"})
    assert (refused.status_code, refused.json()["code"]) == (415, "not_an_image")
    outcome = f'pedigree_predict_requests_total{{outcome="refused",version="{pair[0]}"}} 1.0'
    assert outcome in client.get("/metrics").text


def test_no_request_fails_while_the_model_changes_on_two_replicas(settings: Settings, records: Records) -> None:
    mine, theirs = (create_app(settings, load=FakeClassifier.load) for _ in range(2))
    ended = threading.Event()
    statuses: Counter[int] = Counter()
    answered_by: set[int] = set()

    def ask(client: TestClient, photo: bytes) -> None:
        while not ended.is_set():
            answer = send(client, photo)
            statuses[answer.status_code] += 1
            if answer.status_code == 200:
                answered_by.add(answer.json()["model"]["version"])

    with (
        TestClient(mine, base_url="http://localhost") as here,
        TestClient(theirs, base_url="http://localhost") as there,
        ThreadPoolExecutor(4) as pool,
    ):
        versions = [register(here, records, b"%d" % number) for number in range(5)]
        until(lambda: send(there, GREEN).status_code == 200)
        asking = [pool.submit(ask, client, photo) for client in (here, there) for photo in (GREEN, b"no picture")]
        try:
            for version in versions * 3:
                put(here, version, versions[0] if version != versions[0] else versions[1], 0.5)
                seen = statuses[200]
                until(lambda seen=seen: statuses[200] > seen)  # type: ignore[misc]  # the count as it was
                assert here.post(f"{ALIAS}/rollback").status_code == 200
        finally:
            ended.set()
        for one in asking:
            one.result()
    assert set(statuses) == {200, 415}
    assert answered_by == set(versions)


@pytest.mark.thorough
def test_what_was_swapped_out_goes_from_memory_with_its_last_request(
    client: TestClient, records: Records, app: FastAPI
) -> None:
    predictor = app.state.services.predictor
    gc.collect()
    gc.disable()  # it would free what lies in a circle, but only some time or other
    try:
        for number in range(6):
            register(client, records, b"%d" % number)
            assert answering(client, GREEN)
            # A request that ends in an error holds nothing either.
            assert send(client, b"no picture").status_code == 415
            assert send(client, b"no picture", GREEN).status_code == 200
        assert predictor.in_memory() == len(predictor._loaded) == 3
    finally:
        gc.enable()
    assert "pedigree_models_in_memory 3.0" in client.get("/metrics").text
