"""What goes wrong outside of the service's own answers: always one line, never a traceback."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from api.app import create_app
from cli import main
from cli.problems import OPTIONS, command_of, option_of, sentences, shown_name
from store.settings import Settings
from tests.cli.service import Answer, serving
from tests.cli.test_commands import JOB, ask, pedigree

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
PNG = Answer("\x89PNG\r\n", kind="image/png")


def test_a_file_whose_name_is_no_utf8_is_predicted(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff_1.jpg"))
    odd.write_bytes(b"...")
    model = {"version": 1, "run": 2, "arch": "resnet18", "drawn": False, "calibrated": True}
    answers = {"POST /predict?model=production": [Answer({"model": model, "predictions": []})]}
    code, _, err, service = ask(capsys, monkeypatch, answers, "predict", str(odd))
    assert (code, err) == (0, "")
    assert b'filename="bad?_1.jpg"' in service.asked[0][2]


def test_an_archive_whose_name_is_no_utf8_is_sent(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.tar"))
    odd.write_bytes(b"...")
    answers = {"POST /datasets": [Answer({**JOB, "kind": "import"}, 202)]}
    code, _, _, service = ask(capsys, monkeypatch, answers, "datasets", "add", "mine", str(odd), "--no-wait")
    assert code == 0
    assert b'filename="bad?.tar"' in service.asked[0][2]


def test_a_word_that_is_no_utf8_is_named(capsys: Capture, monkeypatch: Patch) -> None:
    code, _, err, _ = ask(capsys, monkeypatch, {}, "train", "--dataset", "pets", "--name", "bad\udcff")
    assert code == 1
    assert err.endswith("bad\\udcff' is no text in UTF-8, so that it cannot be sent.\n")


@pytest.mark.parametrize("answer", [Answer("<html>hello</html>", kind="text/html"), PNG, Answer("", 307)])
def test_another_web_server_is_told_apart(capsys: Capture, monkeypatch: Patch, answer: Answer) -> None:
    code, _, err, service = ask(capsys, monkeypatch, {"GET /jobs/1": [answer]}, "jobs", "show", "1")
    assert code == 1
    assert err == (
        f"pedigree: {service.url}/jobs/1 answered {answer.status} with {answer.kind}, not with Pedigree's JSON. "
        "Check the address: --url, PEDIGREE_URL.\n"
    )


@pytest.mark.parametrize("name", ["", "small/batch.png", "..", "."])
def test_what_is_no_name_is_not_asked_for(capsys: Capture, monkeypatch: Patch, name: str) -> None:
    code, _, err, service = ask(capsys, monkeypatch, {}, "datasets", "show", name)
    assert (code, service.asked) == (1, [])
    assert err.startswith(f"pedigree: {name!r} is not a name.")


def test_a_name_is_one_part_of_the_path(capsys: Capture, monkeypatch: Patch) -> None:
    _, _, _, service = ask(capsys, monkeypatch, {}, "models", "alias", "a b?c", "1")
    assert service.asked[0][0] == "PUT /models/aliases/a%20b%3Fc"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("HTTPS_PROXY", "nonsense://x"),
        ("HTTPS_PROXY", "http://x:no"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
    ],
)
def test_a_proxy_or_certificate_that_cannot_be_used_is_one_line(
    capsys: Capture, monkeypatch: Patch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, _, err = pedigree(capsys, monkeypatch, "jobs", "list", "--url", "https://pets.example.org")
    assert code == 1
    assert err.startswith("pedigree: A proxy or certificate of this shell cannot be used: ")
    assert err.count("\n") == 1
    with serving({"GET /jobs/4": [Answer(JOB)]}) as near:
        assert pedigree(capsys, monkeypatch, "jobs", "show", "4", "--url", near.url)[0] == 0


@pytest.mark.parametrize("url", ["http://[x", "http://x:no"])
def test_an_address_that_is_none_is_one_line(capsys: Capture, monkeypatch: Patch, url: str) -> None:
    code, _, err = pedigree(capsys, monkeypatch, "jobs", "list", "--url", url)
    assert code == 1
    assert err.startswith("pedigree: ")
    assert (url in err, "unexpected" in err, err.count("\n")) == (True, False, 1)


def test_a_user_without_a_home_is_asked_for_a_folder(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # a checkout may hold a data folder, which is found first
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("PEDIGREE_URL", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # a container's number without a name
    code, _, err = pedigree(capsys, monkeypatch, "jobs", "list")
    assert (code, err) == (
        1,
        "pedigree: HOME is not set, and the system knows no home of this user. Name a folder with --data.\n",
    )


def test_a_data_folder_that_is_a_file_is_named(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.delenv("PEDIGREE_URL", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("PEDIGREE_DATA", str(tmp_path / "file"))
    code, _, err = pedigree(capsys, monkeypatch, "jobs", "list")
    assert (code, err) == (
        1,
        f"pedigree: {tmp_path / 'file'} is not a folder. Name the data folder with --data or PEDIGREE_DATA.\n",
    )


def test_what_nobody_foresaw_is_one_line_unless_asked_for_more(capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.delenv("PEDIGREE_DEBUG", raising=False)
    answers = {"GET /jobs/1": [Answer({"not": "a job"})]}
    code, _, err, _ = ask(capsys, monkeypatch, answers, "jobs", "show", "1")
    assert (code, err) == (1, "pedigree: unexpected KeyError: 'state'. PEDIGREE_DEBUG=1 shows where.\n")
    monkeypatch.setenv("PEDIGREE_DEBUG", "1")
    with pytest.raises(KeyError):
        ask(capsys, monkeypatch, answers, "jobs", "show", "1")


def test_a_reason_with_dots_in_it_is_repeated_as_it_is(capsys: Capture, monkeypatch: Patch) -> None:
    error = {"code": "archive_rejected", "detail": "../evil_1.jpg is outside.", "hint": None}
    answers = {
        "GET /jobs/4/events": [Answer("", kind="text/event-stream")],
        "GET /jobs/4": [Answer({**JOB, "state": "failed", "error": error})],
    }
    _, _, err, _ = ask(capsys, monkeypatch, answers, "jobs", "watch", "4")
    assert err == "pedigree: Job 4 failed: ../evil_1.jpg is outside.\n"


def test_a_confusion_of_nothing_says_so(capsys: Capture, monkeypatch: Patch) -> None:
    found = {"n": 9, "drawn": False, "side": "validation", "dataset": {"name": "pets"}, "tta": False}
    answer = Answer({**found, "trained_on": 0, "error_rate": 0.0, "most_confused": []})
    answers = {"GET /runs/1/confusion?min_val=2": [answer]}
    _, out, _, _ = ask(capsys, monkeypatch, answers, "runs", "confusion", "1")
    assert out.splitlines()[1:] == ["No breed was taken for another 2 times or more."]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"method": "GET", "path": "/jobs"}, "`pedigree jobs list`"),
        ({"method": "GET", "path": "/datasets/a-1.b"}, "`pedigree datasets show a-1.b`"),
        ({"method": "GET", "path": "/runs/3"}, "`pedigree runs show 3`"),
        ({"method": "GET", "path": "/runs/3/confusion"}, "`pedigree runs confusion 3`"),
        ({"method": "GET", "path": "/readyz"}, "`pedigree doctor`"),
        ({"method": "POST", "path": "/jobs/7/resume"}, "`pedigree jobs resume 7`"),
        (
            {"method": "POST", "path": "/models", "body": {"alias": "production"}},
            "`pedigree models register RUN --alias production`",
        ),
        (
            {
                "method": "POST",
                "path": "/jobs",
                "body": {"kind": "interpret", "run": 3, "config": {"dataset": "my pets"}},
            },
            "`pedigree runs interpret 3 --dataset 'my pets'`",
        ),
        ({"method": "POST", "path": "/jobs", "body": None}, None),
        ({"method": "GET", "path": "/something/new"}, None),
    ],
)
def test_a_request_that_helps_is_said_as_a_command(request_: dict[str, object], words: str | None) -> None:
    assert command_of(request_) == words
    known = {"detail": "no", "hint": "Look.", "request": request_}
    assert sentences(known) == ("no.", "Look." if words is None else f"Look: {words}.")


def test_every_field_of_the_table_is_given_by_an_option_or_argument_that_exists() -> None:
    known = {name for command in commands(main.pedigree) for one in command.params for name in names_of(one)}
    assert set(OPTIONS.values()) - known == set()


def commands(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from commands(command) if isinstance(command, click.Group) else [command]


def names_of(parameter: click.Parameter) -> list[str]:
    return [shown_name(parameter), *(parameter.opts if isinstance(parameter, click.Option) else [])]


NOT_TYPED = {
    "body.add": "is for programs that send a set in parts",
    "body.base_revision": "comes from the file of changes",
    "body.canary": "its fields have options",
    "body.config": "its fields have options, or --set",
    "body.keep_upload": "is for programs that send a set in parts",
    "body.kind": "comes from the command",
    "body.limits": "its fields have options",
    "body.names": "is for the page",
    "body.of": "is what the forecast is of",
    "body.register_best": "is a flag",
    "body.upload": "is for programs that send a set in parts",
    "path.upload_id": "is for programs that send a set in parts",
}
"""Fields of requests that nobody gives the command a value for, and why."""


def test_every_field_of_a_request_is_in_the_table(tmp_path: Path) -> None:
    """A field of a body or path that is missing is named by no option, as `dataset` once was."""
    places = {"artifacts_url": tmp_path.as_uri(), "cache": tmp_path}
    settings = Settings.model_validate({"database_url": "postgresql://x", "redis_url": "redis://x", **places})
    fields = set(fields_of(create_app(settings).openapi()))
    assert "body.dataset" in fields
    assert "path.run_id" in fields
    assert fields - OPTIONS.keys() == NOT_TYPED.keys()


def fields_of(document: dict[str, Any]) -> Iterator[str]:
    """Every field of every body and path, by its place."""
    for operations in document["paths"].values():
        for operation in operations.values():
            yield from (f"path.{one['name']}" for one in operation.get("parameters", []) if one["in"] == "path")
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from (f"body.{name}" for name in properties(document, content.get("schema", {})))


def properties(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield from properties(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for choice in (word for words in ("anyOf", "oneOf", "allOf") for word in schema.get(words, [])):
        yield from properties(document, choice)
    yield from schema.get("properties", {})


@pytest.mark.parametrize(
    ("words", "asked", "name"),
    [
        (("train", "--dataset", "typo"), "POST /jobs", "--dataset"),
        (("predict", "--dataset", "typo"), "POST /jobs", "--dataset"),
        (("jobs", "lr-find", "typo"), "POST /jobs", "DATASET"),
        (("search", "typo", "--vary", "size=64,96"), "POST /jobs", "DATASET"),
    ],
)
def test_a_field_has_the_name_that_the_command_at_work_gives_it(
    capsys: Capture, monkeypatch: Patch, words: tuple[str, ...], asked: str, name: str
) -> None:
    fault = {"field": "body.dataset", "detail": "there is no dataset of that name", "hint": None, "value": "typo"}
    _, _, err, _ = ask(capsys, monkeypatch, {asked: [Answer(fault, 404, "application/problem+json")]}, *words)
    assert err == f"pedigree: {name} is typo: there is no dataset of that name.\n"


@pytest.mark.parametrize(
    ("code", "hint", "said"),
    [
        (
            "weights_missing",
            "Set arch to one in reach, or set pretrained to false.",
            "Set arch to one in reach, or set pretrained to false: --arch VALUE or --set pretrained=VALUE.",
        ),
        ("batch_too_large", "Set batch_size to 4 or less.", "Set batch_size to 4 or less: --set batch_size=VALUE."),
        ("batch_too_large", "Lower valid_pct, or add photos.", "Lower valid_pct, or add photos."),
        ("weights_invalid", "Set arch to that of the run.", "Set arch to that of the run."),
    ],
)
def test_a_hint_names_the_options_that_set_what_the_error_is_about(
    capsys: Capture, monkeypatch: Patch, code: str, hint: str, said: str
) -> None:
    error = {"code": code, "detail": "no weights", "hint": hint}
    answers = {
        "GET /jobs/4/events": [Answer("", kind="text/event-stream")],
        "GET /jobs/4": [Answer({**JOB, "state": "failed", "error": error})],
    }
    _, _, err, _ = ask(capsys, monkeypatch, answers, "jobs", "watch", "4")
    assert err == f"pedigree: Job 4 failed: no weights. {said}\n"


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("body.config.augment.flip", "--set augment.flip"),
        ("body.config.epochs", "--epochs"),
        ("body.config", "config"),
        ("body", "the request"),
        ("query.limit", "--limit"),
        ("query.cursor", "cursor"),
        ("path.job_id", "JOB"),
    ],
)
def test_a_field_is_named_as_the_command_takes_it(field: str, option: str) -> None:
    assert option_of(field) == option


@pytest.mark.parametrize(("name", "option"), [("train", "--devices"), ("search", "--set devices")])
def test_a_setting_is_named_by_set_where_the_command_at_work_has_no_option_for_it(name: str, option: str) -> None:
    command = main.pedigree.get_command(click.Context(main.pedigree), name)
    assert command is not None
    with click.Context(command):
        assert option_of("body.config.devices") == option


def test_where_in_a_request_a_value_goes_is_left_out(capsys: Capture, monkeypatch: Patch) -> None:
    fault = {"field": "path.job_id", "detail": "it is below 1", "hint": "Give 1 or more.", "value": "0"}
    problem = Answer({**fault, "errors": [fault]}, 422)
    _, _, err, _ = ask(capsys, monkeypatch, {"GET /jobs/0": [problem]}, "jobs", "show", "0")
    assert err == "pedigree: JOB is 0: it is below 1. Give 1 or more.\n"
