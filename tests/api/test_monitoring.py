"""Rules and dashboard of docs/monitoring name figures that there are, and ways out that there are."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
NAME = re.compile(r"\bpedigree_\w+")
OF_THE_DATABASE = {
    "pedigree_jobs",
    "pedigree_workers",
    "pedigree_oldest_queued_job_seconds",
    "pedigree_jobs_attempted_again",
    "pedigree_jobs_failed",
    "pedigree_training_images_per_second",
    "pedigree_training_peak_memory_bytes",
    "pedigree_worker_gpu_memory_bytes",
    "pedigree_epochs",
}
ENDINGS = ("", "_total", "_bucket", "_sum", "_count")


def _rules() -> list[dict[str, Any]]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def _expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in _rules())
    board = json.loads((FOLDER / "dashboard.json").read_text())
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])


def test_only_figures_are_asked_for_that_the_service_tells(client: TestClient) -> None:
    families = text_string_to_metric_families(client.get("/metrics").text)
    names = {family.name + ending for family in families for ending in ENDINGS}
    asked = {name for expression in _expressions() for name in NAME.findall(expression)}
    assert asked
    assert asked <= names


def _figures(client: TestClient) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(one.name, str(one.labels)): one.value for family in families for one in family.samples}


def test_of_two_processes_each_counts_its_own_requests_and_both_tell_of_the_same_jobs(
    settings: Settings, records: Records
) -> None:
    records.run(records.dataset())
    with ExitStack() as held:
        processes = [
            held.enter_context(TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost"))
            for _ in range(2)
        ]
        for client, requests in zip(processes, (3, 2), strict=True):
            for _ in range(requests):
                client.get("/jobs")
        one, other = (_figures(client) for client in processes)
    counted = ("pedigree_http_requests_total", str({"method": "GET", "route": "/jobs", "status": "200"}))
    assert (one[counted], other[counted]) == (3, 2)
    known = {place for place in one if place[0] in OF_THE_DATABASE}
    of_none_yet = {"pedigree_jobs_failed", "pedigree_worker_gpu_memory_bytes"}
    assert {name for name, _ in known} == OF_THE_DATABASE - of_none_yet
    assert one["pedigree_jobs", str({"lane": "train", "state": "queued"})] == 1
    # How long a job waits goes on between two looks.
    still = {place for place in known if place[0] != "pedigree_oldest_queued_job_seconds"}
    assert {place: one[place] for place in still} == {place: other[place] for place in still}


def test_what_each_process_tells_of_the_database_is_never_added_up() -> None:
    for expression in _expressions():
        if OF_THE_DATABASE & set(NAME.findall(expression)):
            assert "sum" not in expression, expression


def test_each_alert_says_what_is_and_what_to_do_and_is_tried() -> None:
    tried = (FOLDER / "alerts_test.yml").read_text()
    for rule in _rules():
        assert {"summary", "fix"} == set(rule["annotations"])
        assert f"alertname: {rule['alert']}" in tried


def test_panels_of_the_dashboard_lie_beside_each_other() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    taken = [
        (panel["gridPos"]["x"] + right, panel["gridPos"]["y"] + down)
        for panel in panels
        for right in range(panel["gridPos"]["w"])
        for down in range(panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert len({panel["id"] for panel in panels}) == len(panels)
