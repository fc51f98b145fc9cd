"""Every operation of the OpenAPI document with values that nobody should send: never a defect, always a problem."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.api.records import Records
from tests.api.web import TestClient

STRANGE = [
    "",
    "0",
    "-1",
    "1e9",
    "NaN",
    "9223372036854775808",
    "9" * 400,
    "true",
    "null",
    "a\x00b",
    "%00",
    "..",
    "../../etc/passwd",
    "' OR 1=1 --",
    "ü" * 300,
    "\N{PILE OF POO}",
    "\u202e",
    "x" * 2000,
]
BODIES: list[Any] = [
    None,
    0,
    -1.5,
    "x",
    [],
    {},
    [[]],
    {"kind": "train"},
    {"kind": "interpret", "run": "x"},
    {"kind": "import", "name": "x"},
    {"run": -1},
    {"run": 2**70, "alias": "\x00"},
    {"run": 1, "alias": {"a": 1}},
    {"version": 1.5},
    {"version": True},
    {"name": None, "builtin": 1},
    {"kind": "train", "dataset": "pets", "config": {"recipe": "phases", "phases": [{"freeze": 1, "epochs": 10**30}]}},
    {"kind": "train", "dataset": "pets", "config": {"augment": [1, 2]}},
]
ROUNDS = 12


def _fill(path: str, parameters: list[dict[str, Any]], draw: random.Random) -> tuple[str, dict[str, str]]:
    query = {}
    for parameter in parameters:
        value = draw.choice([*STRANGE, "1"])
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", _quoted(value) or "1")
        elif parameter["in"] == "query" and draw.random() < 0.6:
            query[parameter["name"]] = value
    return path, query


def _quoted(value: str) -> str:
    return "".join(f"%{byte:02x}" for byte in value.encode())


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_is_sent_makes_a_500(client: TestClient, records: Records, seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)  # noqa: S311 - no secret is drawn
    # With its pictures: where a record's files are gone, a 500 is the answer.
    records.finished(records.dataset_with_photos(tmp_path / "photos", "pets"))
    paths = client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            if path in {"/jobs/{job_id}/events", "/events"}:
                continue  # streams that go on: test_events has them
            for _ in range(ROUNDS):
                url, query = _fill(path, operation.get("parameters", []), draw)
                body = {"json": draw.choice(BODIES)} if method in {"post", "put"} else {}
                headers = {"Idempotency-Key": draw.choice(["a", "b c", "x" * 500, "k\x7f"])}
                answer = client.request(method, url, params=query, headers=headers, **body)
                sent = (method, url, query, body)
                assert answer.status_code < 500 or path in {"/readyz", "/predict"}, (sent, answer.text)
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == "application/problem+json", sent
                    assert answer.json()["code"], sent
                    assert answer.json()["code"] != "internal_error", sent
