"""What a refused request is told: which field it was, in the caller's own words, and the one thing to change."""

import errno
import re
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.http.gate import CONTENT_POLICY
from store.settings import MIB, Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

JSON = {"content-type": "application/json"}
PHASE = {"freeze": True, "epochs": 1}


def train(**config: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"kind": "train", "dataset": "pets", "config": config}


@pytest.mark.parametrize(
    ("body", "field", "value", "hint"),
    [
        (train(batch_size=1), "config.batch_size", "1", "Give 2 or more."),
        (train(batchsize=8), "config.batchsize", "8", "Did you mean batch_size?"),
        (train(recipe="phases"), "config.phases", None, "Add it."),
        (
            train(recipe="phases", phases=[PHASE, PHASE | {"epochs": 0}]),
            "config.phases.1.epochs",
            "0",
            "Give 1 or more.",
        ),
        (train(recipe="phases", phases=[{"freeze": True}]), "config.phases.0.epochs", None, "Add it."),
        (train(recipe="phases", phases=[PHASE | {"epoch": 1}]), "config.phases.0.epoch", "1", "Did you mean epochs?"),
        (train(recipe="phases", phases=[PHASE], sizes=1), "config.sizes", "1", "Did you mean size?"),
        (
            train(recipe="phases", phases=[]),
            "config.phases",
            "list of 0",
            "Give 1 or more.",
        ),
        (train(lr_max=1e-3), "config.lr_max", "0.001", "Did you mean base_lr?"),
        (train(recipe="one_cycle", base_lr=1e-3), "config.base_lr", "0.001", "Did you mean lr_max?"),
        (train(learning_rate=1), "config.learning_rate", "1", "Did you mean base_lr?"),
        (train(recipe="phases", phases=[PHASE], lr=1), "config.lr", "1", "The fields here are arch, "),
        (train(recipe="phases", phases=[PHASE | {"lr": 1}]), "config.phases.0.lr", "1", "Did you mean lr_max?"),
        (train(bs=8), "config.bs", "8", "Did you mean batch_size?"),
        (train(augment={"flipp": True}), "config.augment.flipp", "True", "Did you mean flip?"),
        (train(augment=[1]), "config.augment", "list of 1", "Give an object."),
        (train(size=500, presize=460), "config.size", "500", "Raise presize or lower size."),
        (
            train(recipe="magic"),
            "config.recipe",
            "'magic'",
            "Give 'fine_tune', 'one_cycle', 'probe' or 'phases'.",
        ),
        (
            {"kind": "magic"},
            "kind",
            "'magic'",
            "Give 'train', 'lr_find', 'interpret', 'forecast', 'predict' or 'search'.",
        ),
        ({"dataset": "pets"}, "kind", None, "Give 'train', 'lr_find', 'interpret', 'forecast', 'predict' or 'search'."),
        ({"kind": "train"}, "dataset", None, "Name one, or a run to start from with from_run."),
        ({"kind": "interpret", "run": 1, "nonsense": 2}, "nonsense", "2", "The fields here are kind, run, config."),
        (
            {"kind": "lr_find", "dataset": "pets", "config": {"lr_find": 1}},
            "config.lr_find",
            "1",
            "The fields here are arch, ",
        ),
        *(
            (
                {"kind": "lr_find", "dataset": "pets", "config": {name: 1}},
                f"config.{name}",
                "1",
                f"Leave {name} out: a search has no recipe and trains nothing.",
            )
            for name in ("recipe", "lr_max", "epochs", "phases")
        ),
        ([], "", "list of 0", "Give an object."),
    ],
)
def test_a_wrong_field_has_the_callers_path_and_a_hint(
    client: TestClient, body: object, field: str, value: str | None, hint: str
) -> None:
    answer = client.post("/jobs", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request"), problem
    named = f"body.{field}".removesuffix(".")
    assert [(one["field"], one.get("value")) for one in problem["errors"]] == [(named, value)]
    assert problem["hint"].startswith(hint)
    told = ("field", "value", "detail", "hint")
    assert [problem.get(name) for name in told] == [problem["errors"][0].get(name) for name in told]
    assert named not in problem["detail"]
    assert "; " not in problem["detail"]


def test_no_answer_shows_how_the_service_is_written(client: TestClient) -> None:
    for body in (train(recipe=["x"]), train(recipe="magic"), {"kind": ["a"]}, train(augment=1), {"config": 1}):
        text = client.post("/jobs", json=body).text
        for ours in ("_recipe_of", "fine_tune.", "FineTune", "tag", "dictionary", "tuple"):
            assert ours not in text, text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/jobs?limit=0", None),
        ("GET", "/jobs?state=lost", None),
        ("GET", "/jobs/x", None),
        ("GET", "/jobs?cursor=%00", None),
        ("POST", "/jobs?dry_run=perhaps", train()),
        ("POST", "/jobs", train() | {"name": "a\x00b"}),
        ("POST", "/jobs", train() | {"from_run": 2**70}),
        ("POST", "/jobs", train(lr_mult=1e300)),
        ("POST", "/models", {}),
        ("POST", "/models", {"run": 1.5}),
        ("PUT", "/models/aliases/1", {"version": 1}),
        ("POST", "/datasets/builtin", {"name": "pets", "builtin": "cats"}),
        ("POST", "/datasets/builtin", {"name": "A B", "builtin": "sample", "more": 1}),
        ("POST", "/predict", None),
    ],
)
def test_every_refusal_of_a_field_has_a_hint(client: TestClient, method: str, path: str, body: object) -> None:
    answer = client.request(method, path, json=body)
    problem = answer.json()
    assert answer.status_code == 422, problem
    for fault in problem.get("errors", [problem]):
        assert fault["hint"].endswith((".", "?")), problem
        assert "; " not in fault["detail"], problem
        assert fault["detail"][0].islower(), f"pydantic's own words: {fault}"


@pytest.mark.parametrize(
    ("path", "field", "hint"),
    [
        (
            "/jobs?kind=foo",
            "kind",
            "Give 'train', 'lr_find', 'interpret', 'forecast', 'predict', 'import' or 'search'.",
        ),
        ("/runs?kind=interpret", "kind", "Give 'train' or 'lr_find'."),
        ("/runs.csv?kind=foo", "kind", "Give 'train' or 'lr_find'."),
        ("/runs?cursor=%25", "cursor", "Take next_cursor of the page before, or leave it out."),
        ("/runs?arch=%25", "arch", "Give one as resnet34."),
        ("/models/%25/export?format=onnx", "name", "Give one of them, as production or 3."),
        ("/predictions?since=yesterday", "since", "Give one as 2026-01-31T12:00:00Z."),
        ("/predictions?since=2026-01-31T12:00:00", "since", "Add Z, or an offset as +01:00."),
        ("/runs/1/figures/confusion?scale=nan", "scale", "Give a finite number."),
        ("/jobs/1/figures/trials?scale=nan", "scale", "Give a finite number."),
        ("/runs/compare/figures/curves?runs=1,2&scale=nan", "scale", "Give a finite number."),
        ("/predictions/1", "prediction", "Give it as the service told it, 36 signs."),
    ],
)
def test_a_word_of_an_address_that_is_none_is_told_with_what_to_give(
    client: TestClient, path: str, field: str, hint: str
) -> None:
    answer = client.get(path)
    told = answer.json()
    assert (answer.status_code, told["field"].split(".")[-1], told["hint"]) == (422, field, hint)
    # Neither a pattern nor the words of who checked it.
    assert not re.search(r"\^|\$|Input should|UUID", told["detail"])


def test_a_coverage_that_is_no_number_is_called_that(client: TestClient) -> None:
    told = client.post("/predict?coverage=nan", files={"file": jpeg()}).json()
    assert told["hint"] == "Give a finite number."


def test_a_key_that_is_none_is_told_in_words(client: TestClient) -> None:
    told = client.post("/jobs", json=train(), headers={"Idempotency-Key": "a b"}).json()
    assert told["hint"] == "Give one as a UUID is."
    assert "^" not in told["detail"]


def test_more_faults_than_are_told_are_said_to_be_there(client: TestClient) -> None:
    many = client.post("/jobs", json=train(**{f"k{number}": 1 for number in range(21)})).json()
    assert (len(many["errors"]), many["more_errors"]) == (20, True)
    few = client.post("/jobs", json=train(**{f"k{number}": 1 for number in range(20)})).json()
    assert len(few["errors"]) == 20
    assert "more_errors" not in few


def test_a_list_is_not_called_short_for_its_wrong_parts(client: TestClient) -> None:
    problem = client.post("/jobs", json=train(recipe="phases", phases=[{"freeze": True, "epochs": 0}])).json()
    assert [one["field"] for one in problem["errors"]] == ["body.config.phases.0.epochs"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"a":[' + b"1," * 3000 + b"1]}", "the body has more than 2000 values"),
        (b"[" * 3000, "the body is nested too deeply"),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/x+json"])
def test_a_body_of_too_many_values_is_refused_unread(client: TestClient, body: bytes, detail: str, kind: str) -> None:
    answer = client.post("/jobs", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (400, "bad_request", detail)


def test_the_longest_honest_body_is_read(client: TestClient) -> None:
    answer = client.post("/jobs", json=train(recipe="phases", phases=[PHASE | {"lr_max": 1e-3, "lr_mult": 10}] * 100))
    assert "values" not in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/predict", "/datasets"])
def test_a_boundary_that_no_form_may_have_is_400(client: TestClient, path: str) -> None:
    kind = f"multipart/form-data; boundary={'b' * 300}"
    answer = client.post(path, content=b"x", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_full_disk_of_the_database_is_called_that(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, psycopg.errors.DiskFull("could not extend file"))

    monkeypatch.setattr("api.routes.models.list_versions", full)
    answer = client.get("/models")
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert answer.json()["detail"] == "the disk of the database is full"
    monkeypatch.setattr("api.routes.operations._ask_database", full)
    assert client.get("/readyz").json()["parts"]["database"] == "the disk of the database is full"


def test_a_disk_without_room_is_seen_by_readyz(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.room.shutil.disk_usage", lambda _: SimpleNamespace(total=2**40, free=1000))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    said = answer.json()["parts"]["disks"]
    assert said.startswith("the disk of PEDIGREE_CACHE and of its temporary files and of ARTIFACTS_URL has less than")
    assert "/" not in said + str(answer.json().get("hint"))


def test_a_body_that_the_route_reads_itself_is_told_of_the_same_way(client: TestClient) -> None:
    problem = client.post("/datasets/builtin", json={"name": "pets", "builtins": "sample"}).json()
    assert [one["field"] for one in problem["errors"]] == ["body.builtin", "body.builtins"]
    assert problem["hint"] == "Add it."
    wrong = client.post("/datasets", files={"archive": b"x"}, data={"name": "pets", "regexp": "x"}).json()
    assert wrong["hint"] == "Did you mean regex?"


@pytest.mark.parametrize("path", ["/jobs", "/models", "/datasets/builtin"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b'{"kind": "train",}', "not JSON"),
        (b"\xff\xfe\xfd", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_body_that_cannot_be_read_is_400_with_what_is_wrong_with_it(
    client: TestClient, path: str, body: bytes, said: str
) -> None:
    answer = client.post(path, content=body, headers=JSON)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "bad_request"), problem
    assert said in problem["detail"]
    assert problem["hint"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"kind": ' + b'{"a":' * 9000 + b"1" + b"}" * 9000 + b"}", "the body is nested too deeply"),
        (b'{"run": ' + b"9" * 5000 + b"}", "a number in the body has too many digits"),
        (b'{"kind": "\xff"}', "the body's text is not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(client: TestClient, body: bytes, detail: str) -> None:
    answer = client.post("/jobs", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


@pytest.mark.parametrize(("path", "part"), [("/predict", "file"), ("/datasets", "archive")])
def test_a_file_name_that_is_too_long_is_a_sentence(client: TestClient, path: str, part: str) -> None:
    answer = client.post(path, files={part: ("x" * 9000 + ".jpg", jpeg())})
    problem = answer.json()
    assert (answer.status_code, problem["hint"]) == (400, "Give the file a shorter name.")
    assert problem["detail"] == "a part's head, which holds the file's name, is too long"


def test_a_form_that_is_none_is_400(client: TestClient) -> None:
    for kind, body in (("multipart/form-data", b""), ("multipart/form-data; boundary=x", b"--y\r\n")):
        answer = client.post("/predict", content=body, headers={"content-type": kind})
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("the form cannot be read: ")
        assert answer.json()["hint"]


@pytest.mark.parametrize(
    ("kind", "body"), [("text/plain", b"{}"), ("application/x-www-form-urlencoded", jpeg()), ("video/mp4", b"x")]
)
def test_what_comes_as_something_else_is_told_to_use_a_form(client: TestClient, kind: str, body: bytes) -> None:
    answer = client.post("/predict", content=body, headers={"content-type": kind})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (415, "unsupported_media_type")
    assert problem["detail"] == f"the body is {kind}, neither a form nor a picture"
    assert "curl -F file=@picture.jpg" in problem["hint"]


def test_a_text_in_place_of_a_picture_is_said_in_the_callers_words(client: TestClient) -> None:
    parts = [("file", (None, "hello"))]
    answer = client.post("/predict", files=parts)
    assert (answer.status_code, answer.json()["detail"]) == (422, "a part `file` of the form is text, not a file")
    assert "UploadFile" not in answer.text
    assert "curl -F file=@picture.jpg" in answer.json()["hint"]


@pytest.mark.parametrize("version", [True, "1", 1.0])
def test_only_a_number_is_a_version(client: TestClient, records: Records, version: object) -> None:
    client.post("/models", json={"run": records.served().id})
    assert client.put("/models/aliases/best", json={"version": version}).status_code == 422
    assert client.post("/models", json={"run": version}).status_code == 422


def test_a_disk_that_fills_up_elsewhere_is_507(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("api.routes.models.list_versions", full)
    answer = client.get("/models")
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert 'route="/models",status="507"} 1.0' in client.get("/metrics").text
    # A small form stays in memory, a large one goes to a file.
    monkeypatch.setattr("starlette.datastructures.UploadFile.write", full)
    answer = client.post("/predict", files={"file": bytes(9 * MIB)})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")


def test_another_error_of_the_system_is_a_defect(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("api.routes.models.list_versions", broken)
    answer = client.get("/models")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


def test_a_refused_picture_says_what_to_send(settings: Settings, records: Records) -> None:
    app = create_app(settings.model_copy(update={"max_image_pixels": 30_000}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        client.post("/models", json={"run": records.served(records.dataset()).id, "alias": "production"})
        for picture in (b"no picture", jpeg()[:-12], jpeg(size=(1, 1)), jpeg(size=(200, 200))):
            hint = client.post("/predict", files={"file": picture}).json()["hint"]
            both = [("file", jpeg()), ("file", picture)]
            failed = client.post("/predict", files=both).json()["predictions"][1]
            assert failed["error"]["hint"] == hint != ""


def test_too_large_an_archive_is_told_which_setting_allows_more(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_upload_bytes": 100_000}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        for size in (200_000, 5_000_000):  # the reader's limit, and the gate's
            answer = client.post("/datasets", files={"archive": bytes(size)}, data={"name": "pets"})
            assert (answer.status_code, answer.json()["title"]) == (413, "Payload too large")
            assert "PEDIGREE_MAX_UPLOAD_BYTES" in answer.json()["hint"]
