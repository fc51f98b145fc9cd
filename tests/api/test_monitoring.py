"""Rules and dashboard of docs/monitoring name figures that there are, and ways out that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.api.web import TestClient

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
NAME = re.compile(r"\bpedigree_\w+")
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
