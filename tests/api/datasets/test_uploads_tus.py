"""The protocol TUS 1.0.0 as clients speak it: offsets, breaks, locks, limits, and a process that is killed."""

import errno
import fcntl
import io
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from store.artifacts import ArtifactStore
from store.db.reading import get_job, list_jobs
from store.scratch import remove_scratch
from store.settings import MIB, Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.test_events import answers
from tests.api.web import TestClient

TUS = {"Tus-Resumable": "1.0.0"}
OFFSET = "application/offset+octet-stream"


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names or ("Birman_1.jpg", "pug_1.jpg"):
            file.writestr(zipfile.ZipInfo(name), jpeg())
    return out.getvalue()


def begin(client: httpx.Client, length: int, name: str = "pets.zip") -> str:
    metadata = f"filename {b64encode(name.encode()).decode()}"
    answer = client.post("/uploads", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def send(client: httpx.Client, place: str, offset: int, data: Any, **headers: str) -> httpx.Response:  # noqa: ANN401 - bytes or an iterator
    told = {**TUS, "Content-Type": OFFSET, "Upload-Offset": str(offset), **headers}
    return client.patch(place, content=data, headers=told)


def offset_of(client: httpx.Client, place: str) -> int:
    answer = client.head(place, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def whole(client: httpx.Client, data: bytes) -> str:
    place = begin(client, len(data))
    assert send(client, place, 0, data).status_code == 204
    return place


def bytes_of(settings: Settings, place: str) -> Path:
    return settings.cache / "uploads" / f"tus-{place.rpartition('/')[2]}" / "bytes"


def test_what_is_spoken_is_told_to_who_asks(client: TestClient, settings: Settings) -> None:
    for path in ("/uploads", "/uploads/x"):
        answer = client.options(path)
        assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
        assert answer.headers["tus-extension"] == "creation,expiration,termination"
        assert answer.headers["tus-max-size"] == str(settings.max_upload_bytes)


def test_an_upload_goes_on_where_it_stands(client: TestClient, settings: Settings) -> None:
    place = begin(client, 11, "tierfotos ä.zip")
    assert offset_of(client, place) == 0
    first = send(client, place, 0, b"hello ")
    assert (first.status_code, first.headers["upload-offset"], first.headers["tus-resumable"]) == (204, "6", "1.0.0")
    assert first.headers["upload-expires"].endswith(" GMT")
    assert offset_of(client, place) == 6
    told = client.get(place).json()
    assert (told["name"], told["offset"], told["length"], told["job"]) == ("tierfotos ä.zip", 6, 11, None)
    assert send(client, place, 6, iter([b"wo", b"rld"])).headers["upload-offset"] == "11"
    assert bytes_of(settings, place).read_bytes() == b"hello world"


@pytest.mark.parametrize("offset", [0, 3, 7])
def test_bytes_from_another_place_are_refused_and_change_nothing(client: TestClient, offset: int) -> None:
    place = begin(client, 11)
    send(client, place, 0, b"hello ")
    answer = send(client, place, offset, b"world")
    assert (answer.status_code, answer.json()["code"]) == (409, "offset_conflict")
    assert offset_of(client, place) == 6


@pytest.mark.parametrize("data", [b"four", iter([b"fo", b"ur"])])
def test_more_bytes_than_were_announced_are_refused_and_none_is_kept(client: TestClient, data: Any) -> None:  # noqa: ANN401 - as send's
    place = begin(client, 3)
    answer = send(client, place, 0, data)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert offset_of(client, place) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=b"}, 415),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": "1" * 40}, 400),
        ({"Upload-Offset": "zero"}, 400),
        ({"Tus-Resumable": "0.2.2"}, 412),
    ],
)
def test_a_piece_that_is_not_of_the_protocol_is_refused(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    place = begin(client, 3)
    answer = send(client, place, 0, b"one", **headers)
    assert answer.status_code == status
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert offset_of(client, place) == 0


def test_without_a_version_nothing_begins_and_the_known_one_is_told(client: TestClient) -> None:
    answer = client.post("/uploads", headers={"Upload-Length": "3"})
    assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")
    assert answer.json()["code"] == "tus_version"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "1.5"}, 400),
        ({"Upload-Length": str(1 << 50)}, 413),
        ({"Upload-Length": "3", "Upload-Metadata": "filename ?"}, 400),
        ({"Upload-Length": "3", "Upload-Metadata": f"filename {b64encode(b'a' * 300).decode()}"}, 400),
        ({"Upload-Length": "3", "Upload-Metadata": f"filename {b64encode(bytes(3)).decode()}"}, 400),
    ],
)
def test_an_upload_that_cannot_be_is_not_begun(
    client: TestClient, settings: Settings, headers: dict[str, str], status: int
) -> None:
    assert client.post("/uploads", headers={**TUS, **headers}).status_code == status
    assert list((settings.cache / "uploads").glob("tus-*-*")) == []


def test_a_name_is_no_path(client: TestClient, settings: Settings) -> None:
    place = begin(client, 3, "../../etc/passwd")
    assert client.get(place).json()["name"] == "passwd"
    for path in ("/uploads/..%2F..%2Fx", "/uploads/lock", "/uploads/*", "/uploads/" + "0" * 32):
        assert client.get(path).status_code == 404
        assert send(client, path, 0, b"x").status_code == 404
    assert {path.name for path in (settings.cache / "uploads").iterdir()} == {
        f"tus-{place.rpartition('/')[2]}",
        "tus-lock",
    }


def test_two_at_once_do_not_write_into_one_upload(client: TestClient, settings: Settings) -> None:
    place = begin(client, 5)
    with bytes_of(settings, place).open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = [send(client, place, 0, b"hello"), client.delete(place, headers=TUS)]
        assert offset_of(client, place) == 0
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(423, "upload_locked")] * 2
    assert send(client, place, 0, b"hello").status_code == 204


def test_an_upload_is_ended_by_who_wants_it_no_more(client: TestClient, settings: Settings) -> None:
    place = begin(client, 5)
    assert client.delete(place, headers=TUS).status_code == 204
    assert client.head(place, headers=TUS).status_code == 404
    assert not bytes_of(settings, place).parent.exists()


def test_a_method_that_is_not_let_through_may_be_named_in_a_header(client: TestClient) -> None:
    place = begin(client, 5)
    told = {**TUS, "Content-Type": OFFSET, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert client.post(place, content=b"hello", headers=told).headers["upload-offset"] == "5"
    assert client.post(place, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204


def test_an_upload_that_nobody_adds_to_is_gone_after_a_day(client: TestClient, settings: Settings) -> None:
    old, young = begin(client, 5), begin(client, 5)
    folder = bytes_of(settings, old).parent
    send(client, young, 0, b"he")
    a_day_ago = time.time() - 24 * 3600 - 1
    os.utime(folder, (a_day_ago, a_day_ago))
    assert client.head(old, headers=TUS).status_code == 404
    assert send(client, old, 0, b"hello").status_code == 404
    remove_scratch(settings.cache, copies={}, begun={})
    assert not folder.exists()
    assert offset_of(client, young) == 2


def test_each_piece_makes_an_upload_live_longer(client: TestClient, settings: Settings) -> None:
    place = begin(client, 5)
    folder = bytes_of(settings, place).parent
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))
    send(client, place, 0, b"he")
    assert time.time() - folder.stat().st_mtime < 60


def test_another_process_with_the_same_folder_goes_on(client: TestClient, settings: Settings) -> None:
    place = begin(client, 11)
    send(client, place, 0, b"hello ")
    with TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost") as other:
        assert offset_of(other, place) == 6
        assert send(other, place, 6, b"world").headers["upload-offset"] == "11"
    assert bytes_of(settings, place).read_bytes() == b"hello world"


def test_uploads_together_have_a_limit(settings: Settings) -> None:
    small = settings.model_copy(update={"max_upload_bytes": MIB, "max_stored_upload_bytes": MIB})
    with TestClient(create_app(small, load=FakeClassifier.load), base_url="http://localhost") as client:
        place = begin(client, 700_000)
        told = {**TUS, "Upload-Length": "700000"}
        answer = client.post("/uploads", headers=told)
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        client.delete(place, headers=TUS)
        assert client.post("/uploads", headers=told).status_code == 201


def test_what_the_disk_does_not_hold_is_refused_before_a_byte_is_sent(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.datasets.resumable.shutil.disk_usage", lambda _: type("Disk", (), {"free": 70 * MIB})())
    assert client.post("/uploads", headers={**TUS, "Upload-Length": str(8 * MIB)}).status_code == 507
    assert client.post("/uploads", headers={**TUS, "Upload-Length": str(2 * MIB)}).status_code == 201


def test_a_disk_that_is_full_meanwhile_keeps_what_it_holds(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = begin(client, 11)
    real = os.pwrite

    def half(descriptor: int, data: Any, offset: int) -> int:  # noqa: ANN401 - a buffer
        if offset >= 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, bytes(data)[:4], offset)

    monkeypatch.setattr("api.datasets.resumable.os.pwrite", half)
    answer = send(client, place, 0, b"hello world")
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert "PEDIGREE_CACHE" in answer.json()["detail"]
    monkeypatch.undo()
    assert offset_of(client, place) == 4
    send(client, place, 4, b"o world")
    assert bytes_of(settings, place).read_bytes() == b"hello world"


def test_a_whole_upload_becomes_an_import_once(
    client: TestClient, records: Records, artifacts: ArtifactStore, settings: Settings
) -> None:
    data = archive()
    place = whole(client, data)
    form = {"name": (None, "mine"), "label_from": (None, "folder"), "upload": (None, place.rpartition("/")[2])}
    answer = client.post("/datasets", files=form)
    assert answer.status_code == 202, answer.text
    with records.sessions.begin() as session:
        payload = get_job(session, answer.json()["id"]).payload
    assert (payload["name"], payload["rule"]["kind"]) == ("mine", "folder")
    assert artifacts.get_bytes(payload["source"]["key"]) == data
    assert client.get(place).json()["job"] == answer.json()["id"]
    assert not bytes_of(settings, place).exists()
    again = client.post("/datasets", files=form)
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")
    assert f"job {answer.json()['id']}" in again.json()["detail"]
    assert send(client, place, len(data), b"").status_code == 409


def test_what_has_become_an_import_takes_no_place(
    client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.datasets.resumable.MOST_OPEN", 1)
    place = whole(client, archive())
    told = {**TUS, "Upload-Length": "11"}
    assert client.post("/uploads", headers=told).status_code == 507
    form = {"name": (None, "mine"), "label_from": (None, "folder"), "upload": (None, place.rpartition("/")[2])}
    assert client.post("/datasets", files=form).status_code == 202
    assert client.post("/uploads", headers=told).status_code == 201
    assert records is not None


def test_half_an_upload_becomes_no_import(client: TestClient, records: Records) -> None:
    place = begin(client, 11)
    send(client, place, 0, b"hello ")
    form = {"name": (None, "mine"), "upload": (None, place.rpartition("/")[2])}
    assert client.post("/datasets", files=form).status_code == 409
    assert client.post("/datasets", files={**form, "upload": (None, "../x")}).status_code == 404
    both = client.post("/datasets", files={**form, "archive": ("a.zip", archive())})
    assert (both.status_code, both.json()["field"]) == (400, "body.upload")
    with records.sessions.begin() as session:
        assert list_jobs(session).items == []
    assert offset_of(client, place) == 6


@pytest.mark.thorough
def test_a_body_that_breaks_off_keeps_what_has_come(served: str, settings: Settings) -> None:
    with httpx.Client(base_url=served) as client:
        place = begin(client, 100)
        break_off(served, place, b"x" * 40, 100)
        until(lambda: offset_of(client, place) == 40)
        until(lambda: send(client, place, 40, b"y" * 60).status_code == 204)
        assert bytes_of(settings, place).read_bytes() == b"x" * 40 + b"y" * 60


def test_after_a_kill_the_offset_is_of_bytes_that_are_there(settings: Settings, tmp_path: Path) -> None:
    size = 12 * MIB
    data = os.urandom(size)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with running_api(settings, port, tmp_path) as process, httpx.Client(base_url=base) as client:
        place = begin(client, size)
        with raw_patch(base, place, size) as connection:
            connection.sendall(data[: 5 * MIB])
            until(lambda: offset_of(client, place) > 2 * MIB)
            process.send_signal(signal.SIGKILL)
            process.wait()
    with running_api(settings, port, tmp_path), httpx.Client(base_url=base) as client:
        offset = offset_of(client, place)
        assert 2 * MIB < offset <= 5 * MIB
        assert bytes_of(settings, place).read_bytes() == data[:offset]
        assert send(client, place, offset, data[offset:]).headers["upload-offset"] == str(size)
        assert bytes_of(settings, place).read_bytes() == data


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with running_api(settings, port, tmp_path):
        yield f"http://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_api(settings: Settings, port: int, logs: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The API as a process of its own, until it answers."""
    environment = {**os.environ, "PEDIGREE_DEVICE": "cpu"}
    environment |= {
        str(field.alias): str(getattr(settings, name))
        for name, field in Settings.model_fields.items()
        if getattr(settings, name) is not None
    }
    command = [sys.executable, "-m", "api", "--port", str(port)]
    with (logs / "api.log").open("ab") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            until(lambda: answers(port) or process.poll() is not None)
            assert process.poll() is None, (logs / "api.log").read_text()
            yield process
        finally:
            process.kill()


@contextmanager
def raw_patch(base: str, place: str, length: int) -> Iterator[socket.socket]:
    """A PATCH whose body the caller sends."""
    host, port = base.removeprefix("http://").split(":")
    head = (
        f"PATCH {place} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nContent-Type: {OFFSET}\r\n"
        f"Upload-Offset: 0\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
        yield connection


def break_off(base: str, place: str, sent: bytes, length: int) -> None:
    """Send a part of a piece and go."""
    with raw_patch(base, place, length) as connection:
        connection.sendall(sent)
        time.sleep(0.2)  # so that it is read before the end of the connection is
