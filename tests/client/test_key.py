"""The client's key: where it is found, who may read it, and who is sent it."""

from pathlib import Path

import httpx
import pytest

from pedigree import Client, PedigreeError
from pedigree.key import find_key
from pedigree.wire import Wire
from tests.cli.service import Answer, serving

KEY = f"pdg_1_{'A' * 43}"


def saying_what_came(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/away"):
        return httpx.Response(302, headers={"location": "http://elsewhere.example/jobs"})
    return httpx.Response(200, json={"came": request.headers.get("authorization")})


def test_the_key_goes_to_the_service_and_nowhere_else() -> None:
    with Wire("http://pets.example:8000/base", key=KEY, transport=httpx.MockTransport(saying_what_came)) as wire:
        assert wire.ask("GET", "/jobs").json() == {"came": f"Bearer {KEY}"}
        for other in ("http://elsewhere.example/jobs", "https://pets.example:8000/jobs", "http://pets.example/jobs"):
            assert wire.ask("GET", other).json() == {"came": None}
        assert wire.http.get("/away", follow_redirects=True).json() == {"came": None}


def test_without_a_key_nothing_is_sent() -> None:
    with Wire("http://pets.example", transport=httpx.MockTransport(saying_what_came)) as wire:
        assert wire.ask("GET", "/jobs").json() == {"came": None}


def test_the_nearest_key_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_key() is None
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    own = tmp_path / "pedigree" / "key"
    own.parent.mkdir()
    own.write_text(f"{KEY}own\n")
    own.chmod(0o600)
    assert find_key() == f"{KEY}own"
    named = tmp_path / "named"
    named.write_text(f"{KEY}named")
    named.chmod(0o400)
    monkeypatch.setenv("PEDIGREE_KEY_FILE", str(named))
    assert find_key() == f"{KEY}named"
    monkeypatch.setenv("PEDIGREE_KEY", f"{KEY}told")
    assert find_key() == f"{KEY}told"
    assert find_key(KEY) == KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(mode)
    monkeypatch.setenv("PEDIGREE_KEY_FILE", str(file))
    with pytest.raises(PedigreeError, match=f"can be read by other users of this machine. Run `chmod 600 {file}`"):
        Client("http://127.0.0.1:1")


@pytest.mark.parametrize("content", ["", "\n", "a b", f"{KEY}\n{KEY}", "schlüssel", "x" * 300, "\x00"])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    file.chmod(0o600)
    monkeypatch.setenv("PEDIGREE_KEY_FILE", str(file))
    with pytest.raises(PedigreeError) as caught:
        find_key()
    assert caught.value.code == "unusable_key"
    assert KEY not in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEDIGREE_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(PedigreeError, match="there is no file"):
        find_key()
    monkeypatch.setenv("PEDIGREE_KEY_FILE", str(tmp_path))
    with pytest.raises(PedigreeError, match="cannot be read"):
        find_key()


def test_a_client_shows_the_key_that_it_is_given() -> None:
    page: dict[str, object] = {"items": [], "next_cursor": None}
    with serving({"GET /jobs?limit=50": [Answer(page)]}) as service, Client(service.url, key=KEY) as client:
        assert client.jobs.list() == []
        assert service.asked[0][1]["Authorization"] == f"Bearer {KEY}"
