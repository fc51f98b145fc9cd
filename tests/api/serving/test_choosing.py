import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from api.app import create_app
from api.routes import models
from api.serving.predictor import Predictor
from api.serving.validation_photos import NothingToCheckBy
from ml.serve.choice import Candidate, Choice
from ml.serve.choosing import ChoosingFailed
from ml.serve.machine import machine_kind
from ml.serve.way import Way
from store.db.choices import record_choice
from store.db.models import ServingChoice
from store.db.registry import register as registered
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.serving.test_predict import GREEN, send
from tests.api.web import TestClient
from tests.patience import PATIENCE_SECONDS

QUICK = Way("openvino", "bf16", "direct", 2)
CHOICE = Choice(QUICK, "here", (Candidate(QUICK, 400.0, 2.6, 1.0, 0.004, 3, passed=True),))


class FakeMeasure:
    """Chooses the quick way, or does what it is told to do."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.does: Callable[[], Choice] = lambda: CHOICE

    def __call__(self, run: int) -> Choice:
        self.runs.append(run)
        assert self.may_go.wait(PATIENCE_SECONDS)
        return self.does()

    def stop(self) -> None:
        self.does = stopped
        self.may_go.set()


def stopped() -> Choice:
    raise ChoosingFailed("the process that measures ended with code -9")


def serving(settings: Settings, measure: FakeMeasure) -> TestClient:
    return TestClient(create_app(settings, load=FakeClassifier.load, measure=measure), base_url="http://localhost")


def predictor_of(client: TestClient) -> Predictor:
    found: Predictor = client.app.state.services.predictor  # type: ignore[attr-defined]  # it is the app
    return found


def way_of(client: TestClient, name: str = "production") -> Way | None:
    classifier = predictor_of(client).serve(name).classifier
    assert isinstance(classifier, FakeClassifier)
    return classifier.way


def register(client: TestClient, run: int, alias: str | None = "production") -> dict[str, Any]:
    answer = client.post("/models", json={"run": run, "alias": alias})
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_version_is_measured_once_and_answers_by_its_way_when_the_reply_comes(
    settings: Settings, records: Records
) -> None:
    measure = FakeMeasure()
    run = records.served().id
    with serving(settings, measure) as client:
        predictor_of(client)._stopping.set()  # the watcher, which could load it before
        model = register(client, run)
        assert predictor_of(client).ready("production").way == QUICK  # type: ignore[union-attr]
        assert way_of(client) == QUICK
        way = {"engine": "openvino", "precision": "bf16", "input": "direct", "streams": 2}
        assert model["machines"] == [{"machine": machine_kind("cpu"), "way": way, "reason": None}]
        detail = client.get(f"/models/{model['version']}").json()
        (choice,) = detail.pop("choices")
        assert detail == model == client.get("/models").json()["items"][0]
        assert choice["candidates"][0]["images_per_second"] == 400
        assert choice["candidates"][0]["way"] == way
        register(client, run)
        assert measure.runs == [run]
        assert client.get("/models/9").status_code == 404


def test_a_replica_of_the_same_kind_uses_the_record_and_one_of_another_chooses_beside_the_serving(
    settings: Settings, records: Records
) -> None:
    measure, again = FakeMeasure(), FakeMeasure()
    run = records.served().id
    with serving(settings, measure) as here, serving(settings, again) as there:
        register(here, run)
        until(lambda: send(there, GREEN).status_code == 200)
        assert way_of(there) == QUICK
        assert again.runs == []
    with records.sessions.begin() as session:
        session.execute(update(ServingChoice).values(machine="another kind"))
    again.may_go.clear()
    with serving(settings, again) as elsewhere:
        # It answers in the exact way at once, and swaps when it has chosen.
        until(lambda: again.runs == [run])
        assert send(elsewhere, GREEN).status_code == 200
        assert way_of(elsewhere) is None
        again.does = lambda: CHOICE
        again.may_go.set()
        until(lambda: way_of(elsewhere) == QUICK)
        assert {one["machine"] for one in elsewhere.get("/models").json()["items"][0]["machines"]} == {
            machine_kind("cpu"),
            "another kind",
        }
        until(lambda: predictor_of(elsewhere).in_memory() == 1)


def nothing_there() -> Choice:
    raise NothingToCheckBy("the photos of its validation side cannot be read: the bundle is gone")


@pytest.mark.parametrize(("does", "reason"), [(nothing_there, "photos"), (stopped, "code -9")])
def test_what_cannot_be_measured_is_run_in_the_exact_way_and_says_why(
    settings: Settings, records: Records, does: Callable[[], Choice], reason: str
) -> None:
    measure = FakeMeasure()
    measure.does = does
    run = records.served().id
    with serving(settings, measure) as client:
        (machine,) = register(client, run)["machines"]
        assert machine["way"] is None
        assert reason in machine["reason"]
        assert way_of(client) is None
        assert send(client, GREEN).status_code == 200
        # Loading it does not try again; registering does.
        assert measure.runs == [run]
        measure.does = lambda: CHOICE
        assert register(client, run)["machines"][0]["way"]
        assert (measure.runs, way_of(client)) == ([run, run], QUICK)


def unforeseen() -> Choice:
    raise ZeroDivisionError("a fault of ours")


def test_a_fault_of_ours_lets_go_whoever_waits_and_the_next_version_is_measured(
    settings: Settings, records: Records
) -> None:
    measure = FakeMeasure()
    measure.does = unforeseen
    dataset = records.dataset()
    with serving(settings, measure) as client:
        assert register(client, records.served(dataset).id)["machines"] == []
        assert way_of(client) is None
        measure.does = lambda: CHOICE
        register(client, records.served(dataset, content=b"others").id)
        assert predictor_of(client).ready("production").way == QUICK  # type: ignore[union-attr]


def test_a_registration_does_not_wait_for_long(
    settings: Settings, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "CHOICE_SECONDS", 0.05)
    measure = FakeMeasure()
    measure.may_go.clear()
    with serving(settings, measure) as client:
        assert register(client, records.served().id)["machines"] == []
        assert send(client, GREEN).status_code == 200
        assert way_of(client) is None
        measure.may_go.set()
        until(lambda: way_of(client) == QUICK)
        assert send(client, GREEN).status_code == 200


def test_two_registrations_at_once_are_one_measurement(settings: Settings, records: Records) -> None:
    measure = FakeMeasure()
    measure.may_go.clear()
    run, other = records.served().id, records.served().id
    with serving(settings, measure) as client, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(register, client, one, alias) for one, alias in ((run, "a"), (run, "b"), (other, "c"))]
        until(lambda: bool(measure.runs))
        measure.may_go.set()
        for one in asked:
            assert one.result()["machines"][0]["way"]
        assert sorted(measure.runs) == [run, other]
        assert {way_of(client, alias) for alias in "abc"} == {QUICK}


def test_a_service_that_stops_in_the_middle_records_nothing_and_the_next_begins_anew(
    settings: Settings, records: Records
) -> None:
    measure, later = FakeMeasure(), FakeMeasure()
    measure.may_go.clear()
    run = records.served().id
    with serving(settings, measure) as client:
        version = register(client, run, alias=None)["version"]
        until(lambda: measure.runs == [run])
    with records.sessions.begin() as session:
        assert session.get(ServingChoice, (version, machine_kind("cpu"))) is None
    with serving(settings, later) as client:
        client.put("/models/aliases/production", json={"version": version})
        until(lambda: way_of(client) == QUICK)


def test_a_way_that_does_not_run_after_all_gives_way_to_the_exact_one(settings: Settings, records: Records) -> None:
    def load(folder: Path, way: Way | None) -> FakeClassifier:
        if way is not None:
            raise RuntimeError("no such engine")
        return FakeClassifier.load(folder)

    app = create_app(settings, load=load, measure=FakeMeasure())
    with TestClient(app, base_url="http://localhost") as client:
        register(client, records.served().id)
        assert send(client, GREEN).status_code == 200


def test_a_record_of_another_program_is_the_exact_way(settings: Settings, records: Records) -> None:
    with serving(settings, FakeMeasure()) as client:
        version = register(client, records.served().id, alias=None)["version"]
        until(lambda: bool(client.get(f"/models/{version}").json()["choices"]))
    with records.sessions.begin() as session:
        session.execute(update(ServingChoice).values(content={"way": json.dumps("by magic")}))
    with serving(settings, FakeMeasure()) as client:
        client.put("/models/aliases/production", json={"version": version})
        assert send(client, GREEN).status_code == 200
        assert client.get(f"/models/{version}").json()["machines"][0]["way"] is None


def test_what_was_measured_stays_whoever_comes_later(records: Records) -> None:
    run = records.served().id
    with records.sessions.begin() as session:
        version = registered(session, run).version.id
        record_choice(session, version, "here", content=None, reason="no photos")
        record_choice(session, version, "here", content=CHOICE.content(), reason=None)
        record_choice(session, version, "here", content=None, reason="too late")
        found = session.get_one(ServingChoice, (version, "here"), populate_existing=True)
        assert (found.reason, found.content) == (None, CHOICE.content())
