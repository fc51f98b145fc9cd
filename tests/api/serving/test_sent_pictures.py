"""The ways in which pictures reach POST /predict besides a form of plain bytes, and forms that are wrong."""

import base64
import binascii
import json
import quopri
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.http.transfer_encoding import Base64, QuotedPrintable
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

GREEN, BLUE = jpeg((0, 200, 0)), jpeg((0, 0, 200))
TEXT = base64.b64encode(GREEN).decode()


@pytest.fixture
def serving(client: TestClient, records: Records) -> TestClient:
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    return client


def breeds(answer: object) -> list[str]:
    assert answer.status_code == 200, answer.text  # type: ignore[attr-defined]
    return [one.get("breed") or one["error"]["code"] for one in answer.json()["predictions"]]  # type: ignore[attr-defined]


def form(head: str, content: bytes, end: bytes = b"\r\n--B--\r\n") -> dict[str, object]:
    body = (
        f'--B\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n{head}\r\n'.encode() + content + end
    )
    return {"content": body, "headers": {"content-type": "multipart/form-data; boundary=B"}}


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "IMAGE/x-odd; q=1", "application/octet-stream"])
@pytest.mark.parametrize("query", ["", "?tta=true"])
def test_a_body_may_be_the_picture(serving: TestClient, kind: str, query: str) -> None:
    answer = serving.post(f"/predict{query}", content=GREEN, headers={"content-type": kind})
    assert breeds(answer) == ["Birman"]
    assert answer.json()["predictions"][0]["filename"] == ""


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (TEXT, ["Birman"]),
        ([TEXT, base64.b64encode(BLUE).decode()], ["Birman", "pug"]),
        (base64.encodebytes(GREEN).decode(), ["Birman"]),
        (TEXT.rstrip("="), ["Birman"]),
        (f"data:image/jpeg;base64,{TEXT}", ["Birman"]),
        ([TEXT, "no base64!"], ["Birman", "not_an_image"]),
        ([TEXT, "löwchen"], ["Birman", "not_an_image"]),
    ],
)
def test_json_may_hold_pictures_in_base64(serving: TestClient, sent: object, found: list[str]) -> None:
    assert breeds(serving.post("/predict", json={"file": sent})) == found


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        (b"", 400, "bad_request", "the body is not JSON"),
        (b'{"file": ', 400, "bad_request", "the body is not JSON at character 9"),
        (b"\xff", 400, "bad_request", "not UTF-8"),
        (b"[" * 100_000, 400, "bad_request", "nested too deeply"),
        (b"9" * 9000, 400, "bad_request", "too many digits"),
        (b"{}", 422, "invalid_request", "body.file"),
        (b'{"file": []}', 422, "invalid_request", "body.file"),
        (b'{"file": [""]}', 422, "invalid_request", "body.file.0"),
        (b'{"file": [7]}', 422, "invalid_request", "body.file.0"),
        (b'{"file": null}', 422, "invalid_request", "body.file"),
        (b'{"file": "aaaa", "topk": 3}', 422, "invalid_request", "body.topk"),
        (b'{"file": "https://pets.example.org/a.jpg"}', 422, "invalid_request", "none is fetched"),
        (b'{"file": "file:///etc/passwd"}', 422, "invalid_request", "none is fetched"),
        (b'{"file": "AAAA"}', 415, "not_an_image", ""),
        (b'{"file": "AA=A"}', 415, "not_an_image", "base64"),
    ],
)
def test_json_that_holds_none_says_why(serving: TestClient, body: bytes, status: int, code: str, said: str) -> None:
    answer = serving.post("/predict", content=body, headers={"content-type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert said in f"{problem.get('field')}: {problem['detail']}"
    assert problem["hint"]


@pytest.fixture
def small(settings: Settings, records: Records) -> Iterator[TestClient]:
    limits = {"max_image_bytes": 2048, "max_predict_files": 2}
    with TestClient(
        create_app(settings.model_copy(update=limits), load=FakeClassifier.load), base_url="http://localhost"
    ) as client:
        client.post("/models", json={"run": records.served().id, "alias": "production"})
        yield client


def test_limits_and_codes_are_the_forms_own(small: TestClient) -> None:
    large = GREEN + bytes(2048)
    text = base64.b64encode(large).decode()
    answers = [
        small.post("/predict", files={"file": large}),
        small.post("/predict", content=large, headers={"content-type": "image/jpeg"}),
        small.post("/predict", json={"file": text}),
        small.post("/predict", **form("Content-Transfer-Encoding: base64\r\n", text.encode())),
    ]
    assert {(one.status_code, one.json()["code"], one.json()["detail"]) for one in answers} == {
        (413, "too_many_bytes", answers[0].json()["detail"])
    }
    many = small.post("/predict", json={"file": [TEXT] * 3})
    assert (many.status_code, many.json()["code"]) == (413, "payload_too_large")
    huge = small.post("/predict", json={"file": "A" * 3_000_000})
    assert (huge.status_code, huge.json()["hint"]) == (413, "Send the pictures as a form, or fewer.")


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("base64", base64.b64encode(GREEN)),
        ("BASE64", base64.encodebytes(GREEN).replace(b"\n", b"\r\n")),
        ("quoted-printable", quopri.encodestring(GREEN)),
        ("binary", GREEN),
        ("8bit", GREEN),
    ],
)
def test_a_part_may_say_how_it_is_written(serving: TestClient, encoding: str, content: bytes) -> None:
    sent = form(f"Content-Transfer-Encoding: {encoding}\r\n", content)
    assert breeds(serving.post("/predict", **sent)) == ["Birman"]


def test_an_encoding_that_is_not_known_is_named(serving: TestClient) -> None:
    answer = serving.post("/predict", **form("Content-Transfer-Encoding: uuencode\r\n", GREEN))
    assert answer.status_code == 415
    assert "'uuencode'" in answer.json()["detail"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 5000])
def test_both_encodings_are_read_in_pieces_of_any_size(size: int) -> None:
    data = bytes(range(256)) * 8 + b"=3D= \t\r\n\n." + b"x" * 3000 + b"=" * 50
    for decoder, text in (
        (Base64(), base64.encodebytes(data)),
        (QuotedPrintable(), binascii.b2a_qp(data, istext=False)),
        (QuotedPrintable(), b"".join(b"=%02X" % byte for byte in data)),
    ):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert b"".join([*map(decoder.feed, pieces), decoder.end()]) == data


def test_a_form_that_is_cut_short_is_called_that(serving: TestClient) -> None:
    for end in (b"", b"\r\n", b"\r\n--B", b"\r\n--B\r\n"):
        answer = serving.post("/predict", **form("", GREEN, end))
        assert (answer.status_code, answer.json()["detail"]) == (400, "the form ends in the middle"), end


@pytest.mark.thorough
def test_a_part_of_another_name_is_told_what_the_name_is(serving: TestClient) -> None:
    wrong = serving.post("/predict", files={"image": GREEN}).json()
    assert "'image'" in wrong["detail"]
    assert "as a part `file`" in wrong["hint"]
    assert "curl -F file=@picture.jpg" in wrong["hint"]
    paths = serving.get("/openapi.json").json()["paths"]
    names = {one["name"] for path in ("/predict", "/predict/explain") for one in paths[path]["post"]["parameters"]}
    assert {"top_k", "breed"} <= names
    for name in names:
        beside = serving.post("/predict", files={"file": GREEN}, data={name: "3"})
        assert (beside.status_code, beside.json()["hint"]) == (422, f"Give {name} in the address, as ?{name}=…")


@pytest.mark.parametrize("part", ["file", "zip", "pets.zip", ""])
def test_an_archive_under_another_name_is_told_what_the_name_is(client: TestClient, part: str) -> None:
    answer = client.post("/datasets", data={"name": "pets"}, files={part: ("pets.zip", bytes(9000))})
    assert answer.status_code == 400
    if part:
        assert repr(part) in answer.json()["detail"]
        assert "`archive`" in answer.json()["detail"]
        assert "-F archive=@" in answer.json()["hint"]


def test_an_archive_may_come_in_base64(client: TestClient, app: FastAPI) -> None:
    content = bytes(range(256)) * 50
    parts = [
        b'--B\r\nContent-Disposition: form-data; name="name"\r\nContent-Transfer-Encoding: base64\r\n\r\n',
        base64.b64encode(b"pets"),
        b'\r\n--B\r\nContent-Disposition: form-data; name="archive"; filename="a.zip"\r\n',
        b"Content-Transfer-Encoding: base64\r\n\r\n",
        base64.encodebytes(content),
        b"\r\n--B--\r\n",
    ]
    headers = {"content-type": "multipart/form-data; boundary=B"}
    answer = client.post("/datasets", content=b"".join(parts), headers=headers)
    assert answer.status_code == 202, answer.text
    folder = app.state.services.settings.artifacts_url.removeprefix("file://")
    stored = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()]
    assert content in stored


@pytest.mark.thorough
def test_the_contract_shows_every_way(client: TestClient) -> None:
    body = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    assert set(body["content"]) == {"multipart/form-data", "application/json", "image/*", "application/octet-stream"}
    assert "base64" in json.dumps(body["content"]["application/json"])
