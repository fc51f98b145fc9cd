"""Where the service listens, and whether it is open there."""

import subprocess
import sys

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.http.access import Openness
from api.http.opening import KeysMissing, is_loopback, settle
from store.access import Scope
from store.db.access_keys import revoke_key
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.http.conftest import Make, bearer
from tests.api.web import TestClient
from tests.conftest import REPOSITORY, environment_of


def test_who_is_open_to_all_asks_nobody_and_knows_those_who_show_a_key(
    settings: Settings, keys: dict[Scope, str]
) -> None:
    app = create_app(settings.model_copy(update={"open": "yes"}), load=FakeClassifier.load, openness=Openness.NEVER)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/keys").status_code == 200
        # A proxy's own sign-in passes on.
        assert client.get("/session", headers={"authorization": "Basic eDp5"}).json()["is_open"] is True
        shown = client.get("/session", headers=bearer(keys[Scope.TRAIN])).json()
        assert (shown["is_open"], shown["key"]) == (False, "train")
        assert client.get("/keys", headers=bearer(keys[Scope.TRAIN])).status_code == 403


def test_beyond_this_machine_nobody_comes_in_without_a_key(settings: Settings) -> None:
    app = create_app(settings, load=FakeClassifier.load, openness=Openness.NEVER)
    with TestClient(app, base_url="http://localhost") as client:
        statuses = {path: client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics", "/jobs", "/ui/")}
    assert statuses == {"/healthz": 200, "/readyz": 401, "/metrics": 401, "/jobs": 401, "/ui/": 200}


def test_beyond_this_machine_an_unknown_record_lets_nobody_in(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    app = create_app(away, load=FakeClassifier.load, openness=Openness.NEVER)
    with TestClient(app, base_url="http://localhost") as client:
        for path in ("/readyz", "/metrics", "/jobs"):
            assert (client.get(path).status_code, client.get(path).json()["code"]) == (503, "unavailable")
        assert client.get("/healthz").status_code == 200
    assert settle(away, "0.0.0.0") is Openness.NEVER  # noqa: S104 - nothing listens
    assert settle(away, None) is Openness.UNTIL_A_KEY_IS_MADE


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "", "::", "192.0.2.7", "no.such.host.invalid")),  # noqa: S104 - as said
    ],
)
def test_what_only_this_machine_reaches(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local


def test_a_network_without_keys_is_refused(settings: Settings, make: Make, sessions: sessionmaker[Session]) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - nothing listens
    with pytest.raises(KeysMissing, match="there is no key"):
        settle(settings, everywhere)
    assert settle(settings, "127.0.0.1") is Openness.UNTIL_A_KEY_IS_MADE
    assert settle(settings.model_copy(update={"open": "yes"}), everywhere) is Openness.ALWAYS
    make("first")
    assert settle(settings, everywhere) is Openness.NEVER
    with sessions.begin() as session:
        revoke_key(session, 1)
    with pytest.raises(KeysMissing, match="no key is good any more"):
        settle(settings, everywhere)


@pytest.mark.thorough
def test_the_server_says_in_one_line_that_it_needs_a_key_first(settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api", "--host", "0.0.0.0", "--port", "0"],  # noqa: S104 - it is refused
        cwd=REPOSITORY,
        env=environment_of(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("keys_missing: 0.0.0.0 can be reached from other machines, and there is no key. ")
    assert "`pedigree keys create NAME --scope admin`" in done.stderr
    assert len(done.stderr.splitlines()) == 1
