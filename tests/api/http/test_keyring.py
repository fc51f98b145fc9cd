"""The keys in memory, as the database changes, fails and says nothing."""

import threading
import time
from datetime import timedelta
from typing import Any, NoReturn, cast

import pytest
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.http import keyring
from api.http.keyring import Keyring
from store.access import Scope
from store.db.access_keys import begin_session, create_key
from tests.patience import PATIENCE_SECONDS


class FailingOnce:
    """Fails as no database does, and is well from then on."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.sessions, self.calls = sessions, 0

    def begin(self) -> Any:  # noqa: ANN401 - a sessionmaker's own, which no type names
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("of another kind")
        return self.sessions.begin()


class SilentDatabase:
    """Answers nobody until it is let go."""

    def __init__(self) -> None:
        self.asked, self.over = threading.Event(), threading.Event()

    def begin(self) -> NoReturn:
        self.asked.set()
        self.over.wait()
        raise SQLAlchemyError("it was silent")


def test_a_stop_does_not_wait_for_a_database_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "STOP_SECONDS", 0.05)
    database = SilentDatabase()
    keys = Keyring(cast("Any", database))
    keys.start()
    assert database.asked.wait(PATIENCE_SECONDS)
    stop = threading.Thread(target=keys.stop, daemon=True)
    stop.start()
    stop.join(PATIENCE_SECONDS)
    is_over = not stop.is_alive()
    database.over.set()
    assert is_over


def test_an_error_of_any_kind_does_not_end_the_following(
    monkeypatch: pytest.MonkeyPatch, sessions: sessionmaker[Session]
) -> None:
    monkeypatch.setattr(keyring, "LOOK_SECONDS", 0.01)
    keys = Keyring(cast("Any", FailingOnce(sessions)))
    keys.start()
    until = time.monotonic() + PATIENCE_SECONDS
    while keys.known is None and time.monotonic() < until:
        time.sleep(0.01)
    keys.stop()
    assert keys.known is not None


def test_a_session_that_began_elsewhere_right_after_a_reading_is_known(sessions: sessionmaker[Session]) -> None:
    keys = Keyring(sessions)
    with sessions.begin() as session:
        key, _ = create_key(session, name="alice", scope=Scope.TRAIN)
    keys.refresh()
    with sessions.begin() as session:
        secret, _ = begin_session(session, key.id, life=timedelta(hours=1))
    assert keys.known is not None
    assert keys.known.by_session(secret) is None
    known = keys.looked_again(time.monotonic())
    assert known is not None
    who = known.by_session(secret)
    assert who is not None
    assert who.name == "alice"


def test_strangers_have_the_record_read_so_often_at_most(sessions: sessionmaker[Session]) -> None:
    keys = Keyring(sessions)
    keys.refresh()
    began = keys.known.read_at if keys.known is not None else 0.0
    for count in range(1, 4):
        known = keys.looked_again(time.monotonic())
        assert known is not None
        assert known.read_at - began >= count * keyring.MOMENT_SECONDS


def test_a_secret_that_was_on_record_nowhere_is_not_looked_for_again(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keyring(sessions)
    assert keys.is_new(["a"])
    assert not keys.is_new([])
    keys.note_strangers(["a", "b"])
    assert not keys.is_new(["b", "a"])
    assert keys.is_new(["a", "c"])
    monkeypatch.setattr(keyring, "MOST_STRANGERS", 2)
    keys.note_strangers(["c"])
    assert (keys.is_new(["a"]), keys.is_new(["c"])) == (True, False)


def test_who_asked_before_a_reading_began_shares_it(sessions: sessionmaker[Session]) -> None:
    keys = Keyring(sessions)
    asked_at = time.monotonic()
    first = keys.looked_again(asked_at)
    assert keys.looked_again(asked_at) is first
    assert keys.looked_again(time.monotonic()) is not first
