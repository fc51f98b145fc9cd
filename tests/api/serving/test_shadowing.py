"""The shadow answers production's photos too, and is compared."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.serving import shadowing
from api.serving.shadowing import compared
from ml.serve.judgement import JudgedScores
from ml.serve.outputs import Output
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.serving.test_predict import GREEN, classifier_of, register, send
from tests.api.web import TestClient
from tests.patience import PATIENCE_SECONDS

RED, BLUE = jpeg((220, 0, 0)), jpeg((0, 0, 220))


class Contrary(FakeClassifier):
    """Of the weights "contrary" it takes green for blue."""

    def judge(self, outputs: Sequence[Output]) -> JudgedScores:
        if self.marker == b"contrary":
            outputs = [Output(one.logits[[0, 2, 1]], one.features) for one in outputs]
        return super().judge(outputs)


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setattr(shadowing, "WRITE_SECONDS", 0.05)
    return create_app(settings, load=Contrary.load)


def shadow_of(client: TestClient, version: int) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/models/{version}/shadow").json()
    return found


def compared_photos(client: TestClient, version: int) -> int:
    return sum(one["compared"] for one in shadow_of(client, version)["against"])


def test_a_shadow_is_compared_and_never_answers(client: TestClient, records: Records) -> None:
    old = register(client, records, b"usual")
    new = register(client, records, b"contrary", alias="shadow")
    for photo in (GREEN, RED, GREEN, BLUE):
        answer = send(client, photo).json()
        assert answer["model"]["version"] == old
    assert send(client, GREEN, RED).status_code == 200
    until(lambda: compared_photos(client, new) == 6)
    found = shadow_of(client, new)
    assert (found["version"], found["is_shadow"]) == (new, True)
    (against,) = found["against"]
    assert (against["version"], against["failed"], against["dropped"]) == (old, 0, 0)
    assert against["agreement"]["share"] == pytest.approx(2 / 6)
    assert 0 < against["agreement"]["low"] < 2 / 6 < against["agreement"]["high"] < 1
    assert [(one["served"], one["shadow"], one["photos"]) for one in against["pairs"]] == [
        ("Birman", "pug", 3),
        ("pug", "Birman", 1),
    ]
    assert against["pairs"][0]["mean_difference"] == pytest.approx(against["max_difference"], abs=0.05)
    assert len(against["examples"]) == 3
    assert all(len(one["sha256"]) == 64 for one in against["examples"])
    assert 'pedigree_shadow_photos_total{outcome="compared"} 6.0' in client.get("/metrics").text
    assert shadow_of(client, old) == {"version": old, "is_shadow": False, "against": []}
    assert client.get("/models/99/shadow").status_code == 404


def test_what_names_a_version_is_averaged_or_came_by_another_name_is_not_compared(
    client: TestClient, records: Records
) -> None:
    old = register(client, records, b"usual")
    register(client, records, b"other", alias="best")
    new = register(client, records, b"contrary", alias="shadow")
    for query in (f"?model={old}", "?model=best", "?model=shadow", "?tta=true"):
        assert send(client, GREEN, query=query).status_code == 200
    send(client, b"no picture")
    send(client, GREEN)
    until(lambda: compared_photos(client, new) == 1)
    # The shadow is production itself: there is nothing to compare.
    client.put("/models/aliases/production", json={"version": new})
    send(client, GREEN)
    client.delete("/models/aliases/shadow")
    client.put("/models/aliases/production", json={"version": old})
    send(client, GREEN)
    assert (compared_photos(client, new), shadow_of(client, new)["is_shadow"]) == (1, False)


def test_a_busy_service_drops_what_is_too_much_and_counts_it(
    client: TestClient, records: Records, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadowing, "MOST_WAITING", 2)
    register(client, records, b"usual")
    new = register(client, records, b"contrary", alias="shadow")
    slow = classifier_of(app, "shadow")
    slow.may_go.clear()
    begun = len(slow.batches)
    assert send(client, GREEN).status_code == 200
    until(lambda: len(slow.batches) == begun + 1)
    for _ in range(5):
        assert send(client, GREEN).status_code == 200
    slow.may_go.set()
    until(lambda: compared_photos(client, new) == 3)
    until(lambda: shadow_of(client, new)["against"][0]["dropped"] == 3)


def test_a_shadow_that_fails_is_counted_and_goes_on(client: TestClient, records: Records, app: FastAPI) -> None:
    register(client, records, b"usual")
    new = register(client, records, b"contrary", alias="shadow")
    shadow = classifier_of(app, "shadow")
    shadow.failure = RuntimeError("out of luck")
    assert send(client, GREEN).status_code == 200
    until(lambda: [one["failed"] for one in shadow_of(client, new)["against"]] == [1])
    assert shadow_of(client, new)["against"][0]["agreement"] is None
    shadow.failure = None
    assert send(client, GREEN).status_code == 200
    until(lambda: compared_photos(client, new) == 1)


def test_what_was_found_survives_a_restart_and_replicas_add_up(
    settings: Settings, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadowing, "WRITE_SECONDS", 600.0)
    for number in range(2):
        with TestClient(create_app(settings, load=Contrary.load), base_url="http://localhost") as client:
            if number == 0:
                register(client, records, b"usual")
                register(client, records, b"contrary", alias="shadow")
            wait_for_models(client)
            assert send(client, GREEN).status_code == 200
            wait_for_figure(client, 'pedigree_shadow_photos_total{outcome="compared"} 1.0')
    with TestClient(create_app(settings, load=Contrary.load), base_url="http://localhost") as client:
        assert compared_photos(client, 2) == 2


def test_a_request_of_which_nothing_is_to_be_kept_is_not_compared(client: TestClient, records: Records) -> None:
    register(client, records, b"usual")
    new = register(client, records, b"contrary", alias="shadow")
    wait_for_models(client)
    assert send(client, GREEN, query="?keep=no").status_code == 200
    assert send(client, GREEN).status_code == 200
    until(lambda: compared_photos(client, new) == 1)


def wait_for_figure(client: TestClient, figure: str) -> None:
    until(lambda: figure in client.get("/metrics").text)


def wait_for_models(client: TestClient) -> None:
    app: Any = client.app
    ready = app.state.services.predictor.ready
    until(lambda: ready("shadow") is not None and ready("production") is not None)


def test_what_cannot_be_written_waits(client: TestClient, records: Records, app: FastAPI) -> None:
    register(client, records, b"usual")
    new = register(client, records, b"contrary", alias="shadow")
    shadow = app.state.services.shadowing
    away, sessions = threading.Event(), shadow._sessions

    class Away:
        def begin(self) -> None:
            away.set()
            raise OperationalError("", None, Exception("away"))

    shadow._sessions = Away()
    assert send(client, GREEN).status_code == 200
    assert away.wait(PATIENCE_SECONDS)
    shadow._sessions = sessions
    until(lambda: compared_photos(client, new) == 1)


def test_what_was_found_of_a_version_that_was_deleted_meanwhile_is_dropped(
    client: TestClient, records: Records, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    register(client, records, b"usual")
    gone = register(client, records, b"contrary", alias="shadow")
    shadow = classifier_of(app, "shadow")
    shadow.may_go.clear()
    begun = len(shadow.batches)
    assert send(client, GREEN).status_code == 200
    until(lambda: len(shadow.batches) == begun + 1)
    run = client.get(f"/models/{gone}").json()["run"]
    assert client.delete("/models/aliases/shadow").status_code == 204
    assert client.delete(f"/runs/{run}?cascade=true").status_code == 204
    with caplog.at_level("INFO", "api.serving.shadowing"):
        shadow.may_go.set()
        until(lambda: any("one was deleted" in record.message for record in caplog.records))
    # It is not tried again, and keeps nothing else from the record.
    new = register(client, records, b"contrary", alias="shadow")
    assert send(client, GREEN).status_code == 200
    until(lambda: compared_photos(client, new) == 1)
    assert [one.levelname for one in caplog.records if one.name == "api.serving.shadowing"] == ["INFO"]


def test_answers_of_other_breeds_differ_by_all_of_their_probability() -> None:
    found = compared("x", {"a": 0.75, "b": 0.25}, {"b": 0.5, "c": 0.5})
    assert (found.served, found.shadow, found.difference) == ("a", "b", 0.75)
    with pytest.raises(ValueError, match="no number"):
        compared("x", {"a": 1.0}, {"a": float("nan")})
