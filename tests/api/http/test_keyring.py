"""The keys in memory, beside a database that says nothing."""

import threading
from typing import Any, NoReturn, cast

import pytest
from sqlalchemy.exc import SQLAlchemyError

from api.http import keyring
from api.http.keyring import Keyring
from tests.patience import PATIENCE_SECONDS


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
