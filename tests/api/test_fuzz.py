"""Every operation of the OpenAPI document with what nobody should send: a problem, soon, for little memory."""

import io
import json
import random
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from fastapi import FastAPI

from tests.api.datasets.test_uploads_tus import whole
from tests.api.loop_time import HELD_SECONDS, longest_hold
from tests.api.records import Records, jpeg
from tests.api.web import TestClient
from tests.ml.serve.trained import trained

MEMORY_BYTES = 64 * 1024 * 1024
STREAMS = {"/jobs/{job_id}/events", "/events"}
"""They do not end: their heads are asked for."""

ROUNDS = 8

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
    "b.jpg",
    "' OR 1=1 --",
    "ü" * 300,
    "\N{PILE OF POO}",
    "\u202e\x1b[2J",
    "x" * 2000,
]
TRAIN = {"kind": "train", "dataset": "pets"}
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
    {**TRAIN, "config": {"recipe": "phases", "phases": [{"freeze": 1, "epochs": 10**30}]}},
    {**TRAIN, "config": {"augment": [1, 2]}},
    {"label_from": "csv"},
    {"label_from": "csv:deep.csv"},
    {"label_from": "csv:labels.csv", "encoding": "utf-16", "merge_labels": True},
    {"label_from": "folder:-1", "merge_labels": True},
    {"label_from": "path", "regex": "((?:a*)*)x"},
    {"by_folder": True, "encoding": "cp932"},
]

SIZES = [1, 30, 1000, 6000, 60_000, 200_000]

WORDS = ["kind", "train", "config", "phases", "recipe", "run", "name", "alias", "epochs", "lr", "\x1b[2J", "\ud800", ""]

MARKS = "\u0315\u0300"
"""Marks whose order takes time by the square of how many there are."""
UPLOADED = {
    "labels.csv": f"filename,label\nb.jpg,pug\n1.jpg,{MARKS * 100}\n{MARKS * 50_000},a\na.jpg,{MARKS * 50_000}\n",
    "deep.csv": f"filename,label\n{'d/' * 2000}b.jpg,pug\n",
    **{f"{number}/" * 31 + "1.jpg": "" for number in range(500)},
    **{f"train/{MARKS * 31}{number}/{number}.JPG": "" for number in range(500)},
    "b.jpg/.": "",
    "L\u00f6we\u202e\x1b[2J_1.jpg": "",
}
"""Files of an archive whose names and list are as odd as an import takes them."""

LARGE_JSON: list[Callable[[int], bytes]] = [
    lambda n: _written({**TRAIN, "config": {"recipe": "phases", "phases": [{}] * n}}),
    lambda n: _written({**TRAIN, "config": {f"k{i}": i for i in range(n)}}),
    lambda n: _written({f"batch_size{i}": i for i in range(n)}),
    lambda n: _written({"x" * n: 1, "kind": "train"}),
    lambda n: _written({**TRAIN, "name": "\x1b" * n}),
    lambda n: b'{"kind":' + b'{"a":' * n + b"1" + b"}" * n + b"}",
    lambda n: b"[" * n,
    lambda n: b'{"run":' + b"9" * n + b"}",
    lambda n: b'{"run":0.' + b"9" * n + b"}",
    lambda n: b'{"kind":"' + b"\\u0041" * n + b'"}',
    lambda n: _written({"names": ["a_1.jpg"] * min(1500, n), "regex": "^(" + "a?" * 200 + ")_"}),
    lambda n: _written({"changes": [{"item": i, "action": "keep"} for i in range(min(n, 10_000))]}),
    lambda n: _written({"tags": ["\ufdfa" * 200] * 20, "note": "\ufdfa" * n, "breed": "\ufdfa" * n}),
    lambda n: _written({"file": "A" * 4 * n}),
    lambda n: _written({"label_from": "csv", "regex": None, "encoding": "x" * n}),
    lambda n: _written({"label_from": ["csv", "folder"][n % 8 == 0]}),
    lambda n: _written({"label_from": "folder:-1", "merge_labels": n > 1000}),
    lambda n: _written({"label_from": "path", "regex": "((?:a?){" + f"{min(n, 999)}" + "})"}),
]
"""Bodies by a number, up to a megabyte."""

HEADS = [
    b'form-data; name="file"; filename="a.jpg"',
    b'form-data; name="archive"; filename="\x1b[2J.zip"',
    b'form-data; name="name"',
    b'form-data; name="regex"',
    b"form-data" + b";a=b" * 1000,
    b"form-data",
    b"x" * 5000,
    b"",
]
CONTENTS = [b"", b"x", jpeg(), b"x" * 5000, b"(a|" * 60, b"\r\n--b" * 3000, b"pets", b"\xff\x00\r"]
LARGE_FORMS: list[Callable[[int, bytes], bytes]] = [
    lambda n, part: part * min(n, 2_000_000 // len(part)),
    lambda n, _: b"--b\r\n" + b"a: b\r\n" * n,
    lambda n, _: b"a=%20&" * n,
    lambda n, _: b"&" * n,
    lambda n, _: b"\r\n--" * n,
]
KINDS_OF_FORMS = [
    b"multipart/form-data; boundary=b",
    b"multipart/form-data; boundary=b",
    b"multipart/form-data; boundary=b",
    b"multipart/form-data; boundary=" + b"b" * 300,
    b"multipart/form-data; boundary=",
    b"multipart/form-data" + b";a=b" * 3000,
    b"multipart/form-data; boundary=b; charset=\xff",
    b"application/x-www-form-urlencoded",
    b"nonsense",
    b"",
]
KINDS_OF_JSON = [b"application/json", b"application/json", b"application/x+json; charset=\xff"]
HEADERS: dict[bytes, list[bytes]] = {
    b"idempotency-key": [b"a", b"b c", b"x" * 500, b"k\x7f", b"\xff"],
    b"origin": [b"http://[evil", b"http://]", b"null", b"", b"\xff", b"http://localhost"],
    b"last-event-id": [b"1", b"9" * 5000, b"\xb2", b"-1"],
    b"cookie": [b"a=b;" * 3000],
    b"accept": [b"*/*," * 3000],
    b"if-none-match": [b'"', b"*", b'W/"x",' * 2000],
    b"range": [b"bytes=0-", b"bytes=" + b"0-1," * 3000, b"bytes=9-1", b"lines=1"],
    b"content-length": [b"-1", b"9" * 60, b"\xb2", b"x"],
}


class Draw(random.Random):
    """Draws requests; the same seed draws the same."""

    upload = "1"
    """An upload that is there; what ends one is asked of others."""

    def value(self) -> str:
        """A path's part, or a query's."""
        letters = [chr(self.randrange(0x3000)) for _ in range(self.randrange(20))]
        return self.choice([*STRANGE, "1", "1", "".join(letters), str(self.randrange(-(2**70), 2**70))])

    def tree(self, depth: int = 0) -> object:
        """Any JSON value."""
        kind = self.randrange(8 if depth < 5 else 5)
        if kind == 5:
            return [self.tree(depth + 1) for _ in range(self.randrange(4))]
        if kind > 5:
            return {self.choice(WORDS): self.tree(depth + 1) for _ in range(self.randrange(5))}
        return [None, self.random() < 0.5, self.randrange(-(2**70), 2**70), float("inf"), self.choice(WORDS)][kind]

    def json(self) -> bytes:
        """A body of JSON, or of nearly that."""
        kind = self.randrange(4)
        if kind == 0:
            return self.choice(LARGE_JSON)(self.choice(SIZES))
        if kind == 1:
            return _written({**TRAIN, "config": self.tree()})
        whole = _written(self.choice(BODIES) if kind == 2 else self.tree())
        return whole if self.random() < 0.8 else whole[: self.randrange(len(whole) + 1)] + self.randbytes(3)

    def form(self) -> bytes:
        """A form, or what is nearly one."""
        if self.random() < 0.4:
            return self.choice(LARGE_FORMS)(self.choice(SIZES), self.part())
        whole = b"".join(self.part() for _ in range(self.randrange(4)))
        return whole + self.choice([b"--b--", b"--b--", b"--b", b"", self.randbytes(9)])

    def part(self) -> bytes:
        """One part of a form."""
        return b"--b\r\nContent-Disposition: " + self.choice(HEADS) + b"\r\n\r\n" + self.choice(CONTENTS) + b"\r\n"

    def headers(self) -> dict[bytes, bytes]:
        """Some of them."""
        return {name: self.choice(kinds) for name, kinds in HEADERS.items() if self.random() < 0.15}

    def request(self, method: str, path: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
        """A request to an operation."""
        query: Any = {one["name"]: self.value() for one in parameters if one["in"] == "query" and self.random() < 0.6}
        if self.random() < 0.1:
            query = [(one["name"], "%20") for one in parameters if one["in"] == "query"] * 300
        for one in parameters:
            if one["in"] == "path":
                is_known = one["name"] == "upload_id" and method != "delete" and self.random() < 0.7
                value = self.upload if is_known else _quoted(self.value()) or "1"
                path = path.replace(f"{{{one['name']}}}", value)
        asked = {"method": method, "url": path, "params": query, "headers": self.headers()}
        if method not in {"post", "put", "patch"}:
            return asked
        is_json = self.random() < 0.6
        asked["content"] = self.json() if is_json else self.form()
        asked["headers"][b"content-type"] = self.choice(KINDS_OF_JSON if is_json else KINDS_OF_FORMS)
        return asked


def _written(body: object) -> bytes:
    return json.dumps(body).encode()


def _quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="").replace(".", "%2e")


def _operations(app: FastAPI) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield ("head" if path in STREAMS else method), path, operation.get("parameters", [])


@pytest.fixture
def served(client: TestClient, records: Records, tmp_path: Path) -> TestClient:
    """A service with everything in its place: it has no reason of its own to answer with a 5xx."""
    # With its pictures: where a record's files are gone, a 500 is the answer.
    run = records.finished(records.dataset_with_photos(tmp_path / "photos", "pets"))
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    assert run is not None
    assert client.get("/readyz").status_code == 200
    assert client.post("/predict", files={"file": jpeg()}).status_code == 200
    return client


@pytest.fixture
def upload(served: TestClient) -> str:
    """The id of an archive that has come whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in UPLOADED.items():
            packed.writestr(zipfile.ZipInfo(name), content or jpeg())
    return whole(served, out.getvalue()).rpartition("/")[2]


def _check(client: TestClient, asked: dict[str, Any]) -> None:
    answer = client.request(**asked)
    sent = {name: str(value)[:300] for name, value in asked.items()}
    assert answer.status_code < 500, (sent, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", sent
        assert asked["method"] == "head" or answer.json()["code"], sent


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in (1, 2))])
def test_nothing_that_is_sent_makes_a_500_or_holds_the_loop(
    app: FastAPI, served: TestClient, upload: str, seed: int
) -> None:
    draw = Draw(seed)
    draw.upload = upload
    with longest_hold() as longest:
        for method, path, parameters in _operations(app):
            for _ in range(ROUNDS * (3 if method in {"post", "put", "patch"} else 1)):
                asked = draw.request(method, path, parameters)
                longest.seconds = 0.0
                _check(served, asked)
                assert longest.seconds < HELD_SECONDS, {name: str(value)[:300] for name, value in asked.items()}


WITH_BODIES = [
    ("post", "/predict"),
    ("post", "/predict/explain?model=2&breed=pug"),
    ("post", "/jobs"),
    ("post", "/jobs/archives"),
    ("patch", "/runs/1"),
    ("post", "/datasets"),
    ("post", "/datasets/builtin"),
    ("post", "/datasets/pets/from-feedback"),
    ("post", "/datasets/pets/revisions"),
    ("patch", f"/uploads/{'0' * 32}"),
    ("post", "/uploads/UPLOAD/try-labels"),
    ("post", "/label-rules/try"),
    ("put", "/models/aliases/x"),
    ("post", "/models"),
    ("post", "/models/1/breeds"),
    ("post", "/keys"),
    ("post", "/webhooks"),
    ("post", f"/predictions/{UUID(int=0)}/feedback"),
]


def test_every_operation_with_a_body_is_tried_with_large_ones(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    asked = {
        (method, re.sub(r"{[^}]*}", "*", path))
        for path in paths
        for method in paths[path]
        if "requestBody" in paths[path][method]
    }
    tried = {
        (method, re.sub(r"(?<=/)(1|x|pets|UPLOAD|0{32}|0{8}-[0-]{27})(?=/|$)", "*", path.split("?")[0]))
        for method, path in WITH_BODIES
    }
    assert tried == asked


@pytest.mark.parametrize(("method", "path"), WITH_BODIES)
def test_no_large_body_holds_the_loop_or_takes_much_memory(
    served: TestClient, records: Records, upload: str, tmp_path: Path, method: str, path: str
) -> None:
    path = path.replace("UPLOAD", upload)
    if "explain" in path:
        _add_real_model(served, records, tmp_path)
    part = Draw(1).part()
    bodies = [
        *((KINDS_OF_JSON[0], make(size)) for size in (600, 200_000) for make in LARGE_JSON),
        *((kind, make(200_000, part)) for make in LARGE_FORMS for kind in (KINDS_OF_FORMS[0], KINDS_OF_FORMS[-3])),
    ]
    with longest_hold() as longest:
        for kind, body in bodies:
            asked = {"method": method, "url": path, "content": body, "headers": {b"content-type": kind}}
            longest.seconds = 0.0
            _check(served, asked)
            assert longest.seconds < HELD_SECONDS, (kind, body[:80])
            assert _peak_bytes(served, asked) < MEMORY_BYTES, (kind, body[:80])


def _add_real_model(client: TestClient, records: Records, folder: Path) -> None:
    """Version 2: an explanation runs the stored weights themselves."""
    run = records.finished()
    for file in trained(folder / "trained").iterdir():
        records.artifact(run, file.name, file.read_bytes())
    assert client.post("/models", json={"run": run.id}).json()["version"] == 2


def _peak_bytes(client: TestClient, asked: dict[str, Any]) -> int:
    tracemalloc.start()
    try:
        _check(client, asked)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
