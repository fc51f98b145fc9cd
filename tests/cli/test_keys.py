"""``pedigree keys``: in the database itself, and over HTTP with an admin key."""

import json
import re

import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session, sessionmaker

from pedigree.wire import Wire
from store.access import Scope
from store.db.access_keys import create_key
from store.settings import Settings
from tests.cli.live_api import live_api
from tests.cli.test_commands import pedigree

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.mark.thorough
def test_the_first_key_is_made_in_the_database_and_the_next_by_it(
    settings: Settings, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        ended, out, err = pedigree(capsys, monkeypatch, *words)
        assert ended == code, err
        return out, err

    assert "No key was made yet" in run("keys", "list")[0]
    key, said = run("keys", "create", "alice", "--scope", "admin", "--expires", "90d")
    assert re.fullmatch(r"pdg_1_[A-Za-z0-9_-]{43}\n", key)
    assert re.match(r"Key 1, alice, may admin, until \d{4}-.*shown this once", said)
    with live_api(settings) as api:
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        assert "this needs a key" in run("jobs", "list", code=1)[1]
        assert "this needs a key" in run("doctor", code=1)[1]
        monkeypatch.setenv("PEDIGREE_KEY", key.strip())
        assert run("jobs", "list")[1] == ""
        made = json.loads(run("keys", "create", "ci", "--scope", "train", "--json")[0])
        assert (made["name"], made["created_by"]) == ("ci", "alice")
        assert "there is a key of this name" in run("keys", "create", "ci", "--scope", "train", code=1)[1]
        assert "key 2, ci, is revoked" in run("keys", "revoke", "ci")[0]
        assert "No key in use is called ci" in run("keys", "revoke", "ci", code=1)[1]
        listed = run("keys", "list")[0]
        assert key.strip().split("_", 2)[2] not in listed
        assert [line.split()[1] for line in listed.splitlines()[1:]] == ["ci", "alice"]
        with Wire(api.url, key=key.strip()) as wire:
            told = [(one["who"], one["operation"], one["target"]) for one in wire.ask("GET", "/audit").json()["items"]]
        assert told == [
            ("alice", "DELETE /keys/{key_id}", "/keys/2"),
            ("alice", "POST /keys", "/keys/2"),
            ("local", "POST /keys", "/keys/1"),
        ]
    monkeypatch.delenv("PEDIGREE_URL")
    assert "key 1, alice, is revoked" in run("keys", "revoke", "1")[0]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("local", "--scope", "admin"), 1, "cannot be a key's name"),
        (("a b", "--scope", "admin"), 1, "cannot be a key's name"),
        (("alice",), 2, "--scope"),
        (("alice", "--scope", "root"), 2, "--scope"),
        (("alice", "--scope", "admin", "--expires", "0d"), 2, "neither a time to last"),
        (("alice", "--scope", "admin", "--expires", "2001-01-01"), 2, "has passed"),
    ],
)
def test_what_cannot_be_a_key_is_refused_in_words(
    capsys: Capture, monkeypatch: Patch, words: tuple[str, ...], code: int, said: str
) -> None:
    ended, _, err = pedigree(capsys, monkeypatch, "keys", "create", *words)
    assert (ended, said in err) == (code, True), err


def test_a_database_that_does_not_answer_is_one_line(capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    ended, _, err = pedigree(capsys, monkeypatch, "keys", "list")
    assert ended == 1
    assert err.startswith("pedigree: The database cannot be used: ")
    assert err.endswith("Look at DATABASE_URL.\n")
    assert len(err.splitlines()) == 1


def test_a_database_without_the_schema_is_told_how_to_get_it(
    settings: Settings, capsys: Capture, monkeypatch: Patch
) -> None:
    url = make_url(settings.database_url).set(database="template1")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    ended, _, err = pedigree(capsys, monkeypatch, "keys", "list")
    assert ended == 1
    assert err.startswith("pedigree: The database has no schema yet")
    assert "`python -m migrations`" in err
    assert len(err.splitlines()) == 1


def test_a_small_key_is_told_what_it_lacks(
    settings: Settings, sessions: sessionmaker[Session], capsys: Capture, monkeypatch: Patch
) -> None:
    with sessions.begin() as session:
        _, key = create_key(session, name="bob", scope=Scope.PREDICT)
    with live_api(settings) as api:
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        monkeypatch.setenv("PEDIGREE_KEY", key)
        ended, _, err = pedigree(capsys, monkeypatch, "keys", "list")
    assert (ended, err) == (
        1,
        "pedigree: this needs a key of the scope admin, and bob has predict. Use a key of the scope admin.\n",
    )
