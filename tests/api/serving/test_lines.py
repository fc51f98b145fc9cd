"""Several pictures answered line by line, over a real socket."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.http.test_edge import Service, serving
from tests.api.records import Records, jpeg
from tests.patience import PATIENCE_SECONDS

GREEN, BLUE = jpeg((0, 220, 0)), jpeg((0, 0, 220))
LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
def service(settings: Settings, records: Records) -> Iterator[Service]:
    records.served()
    with serving(settings) as service:
        httpx.post(f"{service.url}/models", json={"run": 1, "alias": "production"}, trust_env=False).raise_for_status()
        yield service


def classifier_of(service: Service) -> FakeClassifier:
    served = service.app.state.services.predictor.serve("production")
    assert isinstance(served.classifier, FakeClassifier)
    return served.classifier


def form(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"{position}.jpg", picture)) for position, picture in enumerate(pictures)]


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def test_each_picture_is_a_line_with_its_index(service: Service) -> None:
    answer = httpx.post(
        f"{service.url}/predict?top_k=1", files=form(GREEN, b"no picture", BLUE), headers=LINES, trust_env=False
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    found = sorted(lines_of(answer), key=lambda line: int(line["index"]))
    assert [(line["index"], line["filename"]) for line in found] == [(0, "0.jpg"), (1, "1.jpg"), (2, "2.jpg")]
    assert [line.get("breed") for line in found] == ["Birman", None, "pug"]
    assert found[1]["error"]["code"] == "not_an_image"
    told = {name: answer.headers[f"pedigree-{name}"] for name in ("version", "run", "arch", "drawn", "tta", "scores")}
    expected = {"version": "1", "run": "1", "arch": "resnet18", "drawn": "false", "tta": "false"}
    assert told == {**expected, "scores": "sum_to_one"}
    plain = httpx.post(f"{service.url}/predict?top_k=1", files=form(GREEN), trust_env=False).json()
    assert {"index": 0, **plain["predictions"][0]} == found[0]


def test_a_line_comes_as_soon_as_its_picture_is_ready(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, may_go = classifier_of(service), threading.Event()
    prepare = classifier.prepare

    def slow_where_blue(data: bytes, limits: Any) -> Any:  # noqa: ANN401 - the classifier's own
        assert data != BLUE or may_go.wait(PATIENCE_SECONDS)
        return prepare(data, limits)

    monkeypatch.setattr(classifier, "prepare", slow_where_blue)
    with (
        httpx.Client(trust_env=False) as client,
        client.stream("POST", f"{service.url}/predict", files=form(BLUE, GREEN), headers=LINES) as answer,
    ):
        lines = answer.iter_lines()
        assert json.loads(next(lines))["index"] == 1
        may_go.set()
        assert json.loads(next(lines))["index"] == 0
        assert list(lines) == []


def test_an_error_of_the_service_is_a_line_too(service: Service) -> None:
    classifier_of(service).failure = RuntimeError("out of luck")
    answer = httpx.post(f"{service.url}/predict", files=form(GREEN, BLUE), headers=LINES, trust_env=False)
    assert [line["error"]["code"] for line in lines_of(answer)] == ["internal_error"] * 2
    assert "luck" not in answer.text


def test_what_is_refused_as_a_whole_has_no_lines(service: Service) -> None:
    for address, pictures, status in (("/predict", (), 422), ("/predict?model=none", (GREEN,), 404)):
        answer = httpx.post(service.url + address, files=form(*pictures), headers=LINES, trust_env=False)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_client_that_leaves_ends_its_lines_and_gives_its_places_back(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    classifier, batcher = classifier_of(service), service.app.state.services.batcher
    classifier.may_go.clear()
    with (
        httpx.Client(trust_env=False) as client,
        client.stream("POST", f"{service.url}/predict", files=form(*[GREEN] * 40), headers=LINES),
    ):
        until(lambda: len(classifier.batches) == 1)
        assert batcher._accepted == 40
    until(lambda: batcher._accepted == 0)
    classifier.may_go.set()
    until(lambda: not batcher._waiting)
    # The pictures that were not in the pass that ran are in none.
    assert len(classifier.batches) == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_an_answer_that_takes_too_long_is_a_problem_of_its_own(settings: Settings, records: Records) -> None:
    records.served()
    with serving(settings, predict_seconds=0.3) as service:
        httpx.post(f"{service.url}/models", json={"run": 1, "alias": "production"}, trust_env=False).raise_for_status()
        classifier = classifier_of(service)
        classifier.may_go.clear()
        late = httpx.post(f"{service.url}/predict", files=form(GREEN), trust_env=False)
        assert (late.status_code, late.json()["code"]) == (503, "too_late")
        assert int(late.headers["retry-after"]) >= 1
        lines = lines_of(httpx.post(f"{service.url}/predict", files=form(GREEN), headers=LINES, trust_env=False))
        assert [line["error"]["code"] for line in lines] == ["too_late"]
        classifier.may_go.set()
        until(lambda: not service.app.state.services.batcher._waiting)
        # The second waited behind the first, and was given up before its pass.
        assert classifier.batches == [1]
        assert httpx.post(f"{service.url}/predict", files=form(GREEN), trust_env=False).status_code == 200
