import io
import zipfile
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.app import create_app
from api.schemas.datasets import ArchiveForm
from ml.data.label_rules import MAX_CHARS
from ml.data.manifest import DEFAULT_REGEX, LabelRule
from store.artifacts import ArtifactStore
from store.db.models import Job
from store.db.reading import get_job, list_jobs
from store.db.repair import awaited_uploads
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

NAME_PART = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx'


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(zipfile.ZipInfo("Birman_1.jpg"), jpeg())  # without the time, so that it is the same each time
    return out.getvalue()


def upload(client: TestClient, data: bytes | None = None, **fields: str) -> Any:  # noqa: ANN401 - a response
    content = archive() if data is None else data
    return client.post("/datasets", data=fields, files={"archive": ("pets.zip", content)})


def job_of(records: Records, answer: Any) -> Job:  # noqa: ANN401 - a response
    with records.sessions.begin() as session:
        return get_job(session, answer.json()["id"])


def test_datasets_are_listed_and_shown(client: TestClient, records: Records) -> None:
    records.dataset("pets")
    records.dataset("sample", drawn=True)
    items = client.get("/datasets").json()["items"]
    assert [(item["name"], item["drawn"], item["breeds"]) for item in items] == [
        ("sample", True, 3),
        ("pets", False, 3),
    ]
    found = client.get("/datasets/pets").json()
    assert found["summary"]["per_breed"]["pug"] == 7
    assert found["vocab"] == ["Abyssinian", "Birman", "pug"]
    assert client.get("/datasets/none").status_code == 404
    assert client.get("/datasets/A%00B").status_code == 422


def test_an_archive_is_kept_and_its_import_queued(
    client: TestClient, records: Records, artifacts: ArtifactStore, settings: Settings
) -> None:
    answer = upload(client, name="mine", regex=r"^(.+?)_\d+\.jpg$")
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    assert (answer.json()["kind"], answer.json()["run"]) == ("import", None)
    payload = job_of(records, answer).payload
    assert payload["name"] == "mine"
    assert payload["rule"] == LabelRule(regex=r"^(.+?)_\d+\.jpg$").model_dump()
    assert payload["source"]["kind"] == "archive"
    assert artifacts.get_bytes(payload["source"]["key"]) == archive()
    assert list((settings.cache / "uploads").iterdir()) == []


def test_the_label_rule_may_be_the_folder_or_the_default(client: TestClient, records: Records) -> None:
    by_folder = job_of(records, upload(client, name="mine", by_folder="true")).payload["rule"]
    assert by_folder["kind"] == "folder"
    default = job_of(records, upload(client, name="mine")).payload["rule"]
    assert default == LabelRule().model_dump()


def test_a_builtin_is_asked_for_by_json(client: TestClient, records: Records) -> None:
    answer = client.post("/datasets/builtin", json={"name": "sample", "builtin": "sample"})
    assert answer.status_code == 202
    assert job_of(records, answer).payload["source"] == {"kind": "builtin", "builtin": "sample"}
    assert client.post("/datasets/builtin", json={"name": "x", "builtin": "nonsense"}).status_code == 422
    assert client.post("/datasets/builtin", json=[1]).status_code == 422
    broken = client.post("/datasets/builtin", content=b"{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "bad_request")


def test_each_way_in_refuses_the_other_s_body_and_says_where_it_goes(client: TestClient) -> None:
    form = client.post("/datasets/builtin", data={"name": "mine"}, files={"archive": ("pets.zip", archive())})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    assert form.json()["hint"] == "Send JSON, with the header Content-Type: application/json."
    asked = client.post("/datasets", json={"name": "sample", "builtin": "sample"})
    assert (asked.status_code, asked.json()["code"]) == (415, "unsupported_media_type")
    assert "POST /datasets/builtin" in asked.json()["hint"]


def test_the_contract_has_a_body_for_each_way_in(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    bodies = [document["paths"][path]["post"]["requestBody"] for path in ("/datasets", "/datasets/builtin")]
    assert [list(body["content"]) for body in bodies] == [["multipart/form-data"], ["application/json"]]
    form, builtin = (
        schemas[next(iter(body["content"].values()))["schema"]["$ref"].rpartition("/")[2]] for body in bodies
    )
    assert set(form["required"]) == {"name"}
    assert form["properties"].keys() >= {"archive", "labels", "name"} | ArchiveForm.model_fields.keys()
    assert form["properties"]["archive"]["format"] == form["properties"]["labels"]["format"] == "binary"
    assert form["properties"]["regex"]["default"] == DEFAULT_REGEX
    assert (form["properties"]["regex"]["type"], form["properties"]["regex"]["maxLength"]) == ("string", MAX_CHARS)
    assert set(builtin["required"]) == {"builtin", "name"}


@pytest.mark.parametrize(("name", "builtin"), [("sample", "oxford-iiit-pet"), ("oxford-iiit-pet", "sample")])
def test_a_kept_name_is_for_its_own_content(client: TestClient, name: str, builtin: str) -> None:
    answer = client.post("/datasets/builtin", json={"name": name, "builtin": builtin})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_conflict")
    assert client.post("/datasets/builtin", json={"name": "mine", "builtin": builtin}).status_code == 202


def test_an_upload_is_never_the_drawn_sample_and_may_be_the_published_photos(client: TestClient) -> None:
    answer = upload(client, name="sample")
    assert (answer.status_code, answer.json()["code"]) == (409, "name_conflict")
    assert upload(client, name="oxford-iiit-pet").status_code == 202


def test_an_empty_archive_is_told_from_none(client: TestClient) -> None:
    assert upload(client, b"", name="mine").json()["detail"] == "the archive is empty: 0 bytes"
    form = NAME_PART + b"\r\n--b--"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post("/datasets", content=form, headers=headers).json()["detail"] == "the form has no archive"


def test_an_upload_that_the_disk_does_not_hold_names_the_setting(
    client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(name="/dev/full")
    monkeypatch.setattr("api.datasets.uploads.tempfile.NamedTemporaryFile", lambda **_: nullcontext(full))
    answer = upload(client, bytes(200_000), name="mine")
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert "PEDIGREE_CACHE" in answer.json()["detail"]
    with records.sessions.begin() as session:
        assert list_jobs(session).items == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "Not A Name"}, 422),
        ({"name": "../x"}, 422),
        ({}, 422),
        ({"name": "x", "nonsense": "1"}, 422),
        ({"name": "x", "regex": "("}, 400),
        ({"name": "x", "regex": "no group"}, 400),
        ({"name": "x", "regex": "(a)(b)"}, 400),
        ({"name": "x", "regex": "a" * (MAX_CHARS + 1)}, 422),
        ({"name": "x", "regex": "(.+)_1.jpg", "by_folder": "true"}, 400),
        ({"name": "x", "by_folder": "perhaps"}, 422),
        ({"name": "x", "label_from": "folder", "regex": "(a)"}, 400),
        ({"name": "x", "label_from": "path", "by_folder": "true"}, 400),
        ({"name": "x", "label_from": "folder:0"}, 400),
        ({"name": "x", "label_from": "folder:x"}, 400),
        ({"name": "x", "label_from": "nonsense"}, 400),
        ({"name": "x", "label_from": "x" * 2000}, 400),
        ({"name": "x", "label_from": "csv:" + "x" * 4097}, 400),
        ({"name": "x", "encoding": "rot13"}, 400),
        ({"name": "x", "encoding": "../../etc/passwd"}, 400),
        ({"name": "x", "encoding": "\x1b]0;x"}, 400),
        ({"name": "x", "merge_labels": "perhaps"}, 422),
        ({"name": "x" * 5000}, 400),
    ],
)
def test_a_bad_form_is_refused_and_leaves_nothing(
    client: TestClient, records: Records, settings: Settings, fields: dict[str, str], status: int
) -> None:
    answer = upload(client, None, **fields)
    assert answer.status_code == status, answer.text
    with records.sessions.begin() as session:
        assert list_jobs(session).items == []
    assert list((settings.cache / "uploads").iterdir()) == []
    assert not list(Path(settings.artifacts_url.removeprefix("file://")).rglob("uploads/*"))


def test_an_upload_over_the_limit_is_stopped_while_it_streams(records: Records, settings: Settings) -> None:
    small = settings.model_copy(update={"max_upload_bytes": 200_000})
    with _client_of(small) as client:
        answer = upload(client, bytes(300_000), name="big")
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")

        def endless() -> Any:  # noqa: ANN401 - a generator of chunks, of which only a few may be taken
            yield b'--b\r\nContent-Disposition: form-data; name="archive"; filename="a"\r\n\r\n'
            while True:
                yield bytes(65536)

        headers = {"content-type": "multipart/form-data; boundary=b"}
        answer = client.post("/datasets", content=_limited(endless(), 100), headers=headers)
        assert answer.status_code == 413
    with records.sessions.begin() as session:
        assert list_jobs(session).items == []
    assert list((settings.cache / "uploads").iterdir()) == []


def _limited(chunks: Any, count: int) -> Any:  # noqa: ANN401 - as above
    for _ in range(count):
        yield next(chunks)


def _client_of(settings: Settings) -> TestClient:
    return TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost")


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"x", 415),
        ("multipart/form-data", b"x", 415),
        ("multipart/form-data; boundary=b", b"nonsense", 400),
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx', 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--b--',
            400,
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X" * 9000 + b": 1\r\n\r\n", 400),
    ],
)
def test_a_body_that_is_no_form_is_refused(client: TestClient, content_type: str, body: bytes, status: int) -> None:
    answer = client.post("/datasets", content=body, headers={"content-type": content_type})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("regex", "says", "hint"),
    [
        (r"(?=a)(b)", "'(?=a)(b)' uses (?=, a look-ahead", "Write what follows itself"),
        ("(", "'(' is no regular expression: missing )", "Start from (.+)"),
        ("a\x00(b)", "has a character that no name has", "Leave it out."),
        (".*", "has 0 groups", "Put ( ) around the label"),
    ],
)
def test_a_label_rule_that_is_not_known_is_told_with_what_to_write(
    client: TestClient, regex: str, says: str, hint: str
) -> None:
    answer = upload(client, archive(), name="mine", regex=regex)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["detail"]
    assert hint in answer.json()["hint"]
    assert answer.json()["field"] == "body.regex"


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"regex": ""}, "body.regex", "fewer characters than 1"),
        ({"regex": "(a)" * 200}, "body.regex", "more characters than 500"),
        ({"encoding": "klingon"}, "body.encoding", "klingon"),
        ({"label_from": "stars"}, "body.label_from", "stars"),
    ],
)
def test_what_is_wrong_in_a_form_is_named_by_its_part(
    client: TestClient, fields: dict[str, str], field: str, says: str
) -> None:
    told = upload(client, archive(), name="mine", **fields).json()
    assert told["field"] == field
    assert says in told["detail"]


def test_a_list_of_labels_is_kept_beside_the_archive(
    client: TestClient, records: Records, artifacts: ArtifactStore, settings: Settings
) -> None:
    listed = b"Birman_1.jpg,Birman\n"
    files = {"labels": ("l.csv", listed), "archive": ("pets.zip", archive())}
    answer = client.post("/datasets", data={"name": "mine", "encoding": "Shift_JIS"}, files=files)
    assert answer.status_code == 202, answer.text
    payload = job_of(records, answer).payload
    assert payload["rule"] == LabelRule(kind="csv").model_dump()
    assert payload["source"]["encoding"] == "shift_jis"
    assert artifacts.get_bytes(payload["source"]["labels"]) == listed
    assert artifacts.get_bytes(payload["source"]["key"]) == archive()
    with records.sessions.begin() as session:
        assert awaited_uploads(session) == {payload["source"]["key"], payload["source"]["labels"]}
    assert list((settings.cache / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "listed", "status"),
    [({"regex": "(a)", "label_from": "name"}, b"a,b", 400), ({}, b"", 400), ({"by_folder": "true"}, b"a,b", 400)],
)
def test_a_list_that_cannot_be_used_is_refused(
    client: TestClient, records: Records, fields: dict[str, str], listed: bytes, status: int
) -> None:
    files = {"labels": ("l.csv", listed), "archive": ("pets.zip", archive())}
    answer = client.post("/datasets", data={"name": "mine", **fields}, files=files)
    assert answer.status_code == status, answer.text
    with records.sessions.begin() as session:
        assert list_jobs(session).items == []


def test_a_list_over_its_limit_is_refused_while_it_streams(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.datasets.uploads.MAX_LABELS_BYTES", 100)
    files = {"labels": ("l.csv", bytes(101)), "archive": ("pets.zip", archive())}
    answer = client.post("/datasets", data={"name": "mine"}, files=files)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert "`labels` is over the limit of 100 bytes" in answer.json()["detail"]


def test_uploads_that_wait_have_a_limit_together(records: Records, settings: Settings) -> None:
    room = 2 * len(archive())
    with _client_of(settings.model_copy(update={"max_stored_upload_bytes": room})) as client:
        answers = [upload(client, name="mine") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 507]
    assert f"are over {room}" in answers[2].json()["detail"]
    assert "PEDIGREE_MAX_STORED_UPLOAD_BYTES" in answers[2].json()["hint"]
    with records.sessions.begin() as session:
        assert len(list_jobs(session).items) == 2


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"label_from": "folder:-2"}, LabelRule(kind="folder", level=-2)),
        ({"label_from": "path", "regex": r"/([^/]+)_\d+.jpg$"}, LabelRule(regex=r"/([^/]+)_\d+.jpg$", over="path")),
        ({"label_from": "csv:a/b.csv", "merge_labels": "true"}, LabelRule(kind="csv", csv="a/b.csv", merge=True)),
        ({"regex": r"(?i)(.+)_\d+\.jpe?g$"}, LabelRule(regex=r"(?i)(.+)_\d+\.jpe?g$")),
    ],
)
def test_the_label_may_come_from_elsewhere(
    client: TestClient, records: Records, fields: dict[str, str], rule: LabelRule
) -> None:
    assert job_of(records, upload(client, None, name="mine", **fields)).payload["rule"] == rule.model_dump()


def test_a_rule_that_a_backtracking_engine_would_never_end_is_taken(client: TestClient) -> None:
    assert upload(client, name="mine", regex=r"((?:\w+)+)_\d+.jpg$").status_code == 202


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Pets", "Type pets, for example."),
        ("my pets!", "Type my-pets, for example."),
        ("_pets", "Type pets, for example."),
        ("L\u00f6wchen", "Type lowchen, for example."),
        ("x" * 65, f"Type {'x' * 64}, for example."),
        ("\u67f4\u72ac", "Give another name."),
        ("", "Give another name."),
    ],
)
def test_a_name_that_is_none_is_told_in_words(client: TestClient, name: str, instead: str) -> None:
    asked = [
        client.post("/datasets/builtin", json={"builtin": "sample", "name": name}),
        client.post("/jobs", json={"kind": "train", "dataset": name}),
    ]
    for answer in asked:
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["detail"].startswith("a name has to begin with a small letter or a digit, and have only small")
        assert problem["hint"] == instead
        assert "pattern" not in answer.text
