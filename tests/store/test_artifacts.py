import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from obstore.exceptions import GenericError
from obstore.store import LocalStore

from store import keys
from store.artifacts import CHUNK_BYTES, ArtifactStore
from store.errors import ArtifactMissing, NoRoom, ServiceUnavailable, SettingsInvalid
from tests.conftest import REPOSITORY
from tests.faults.gate import Gate, Way
from tests.store.s3 import make_bucket, s3_server, variables_of

KEY = "runs/7/model.safetensors"


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactStore:
    if request.param == "file":
        return ArtifactStore((tmp_path / "a store").as_uri())
    endpoint = request.getfixturevalue("s3_endpoint")
    for name, value in variables_of(endpoint).items():
        monkeypatch.setenv(name, value)
    return ArtifactStore(f"s3://{make_bucket(endpoint)}/some/prefix")


@pytest.mark.parametrize("size", [0, 5, CHUNK_BYTES, CHUNK_BYTES * 2 + 3])
def test_a_file_comes_back_as_it_went(store: ArtifactStore, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    digest = sha256(source.read_bytes()).hexdigest()
    stored = store.put_file(KEY, source)
    assert (stored.key, stored.sha256, stored.bytes) == (KEY, digest, size)
    fetched = store.fetch(KEY, tmp_path / "deep" / "copy", expected_sha256=digest)
    assert fetched.read_bytes() == source.read_bytes()
    assert list(fetched.parent.iterdir()) == [fetched]
    assert store.exists(KEY)


def test_a_second_put_replaces(store: ArtifactStore) -> None:
    store.put_bytes(KEY, b"one")
    assert store.put_bytes(KEY, b"two").sha256 == sha256(b"two").hexdigest()
    assert store.get_bytes(KEY) == b"two"


def test_a_file_that_is_there_is_not_fetched_again(store: ArtifactStore, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.write_bytes(b"mine")
    assert store.fetch("nowhere", here).read_bytes() == b"mine"


def test_a_file_that_is_there_with_another_content_is_replaced(store: ArtifactStore, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.write_bytes(b"another's")
    digest = store.put_bytes(KEY, b"mine").sha256
    assert store.fetch(KEY, here, expected_sha256=digest).read_bytes() == b"mine"
    store.delete(KEY)
    assert store.fetch(KEY, here, expected_sha256=digest).read_bytes() == b"mine"


def test_what_is_missing_is_said(store: ArtifactStore, tmp_path: Path) -> None:
    assert not store.exists(KEY)
    with pytest.raises(ArtifactMissing, match=KEY):
        store.get_bytes(KEY)
    with pytest.raises(ArtifactMissing, match=KEY):
        store.fetch(KEY, tmp_path / "copy")
    assert list(tmp_path.glob("*copy*")) == []
    store.delete(KEY)


def test_another_content_than_recorded_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    store.put_bytes(KEY, b"changed")
    with pytest.raises(ArtifactMissing, match="sha256"):
        store.fetch(KEY, tmp_path / "copy", expected_sha256="00")
    assert list(tmp_path.glob("*copy*")) == []


def test_deleted_is_gone(store: ArtifactStore) -> None:
    store.put_bytes(KEY, b"x")
    store.delete(KEY)
    assert not store.exists(KEY)


def test_keys_below_a_prefix_with_their_times(store: ArtifactStore) -> None:
    upload = keys.new_upload_key()
    store.put_bytes(upload, b"x")
    store.put_bytes(KEY, b"x")
    (found,) = store.keys_below(keys.UPLOADS)
    assert found.key == upload
    assert abs((datetime.now(UTC) - found.modified_at).total_seconds()) < 60


def test_a_store_that_answers_passes_the_check(store: ArtifactStore) -> None:
    store.check()


def test_only_a_folder_opens_in_place(store: ArtifactStore) -> None:
    store.put_bytes(KEY, b"x")
    local = store.open_local(KEY)
    assert (local is not None) == store.url.startswith("file:")
    assert local is None or local.read_bytes() == b"x"
    assert store.open_local("nothing") is None


def test_an_s3_server_without_room_says_so(monkeypatch: pytest.MonkeyPatch, s3_endpoint: str) -> None:
    gate = Gate(int(s3_endpoint.rsplit(":", 1)[1]))
    for name, value in variables_of(f"http://127.0.0.1:{gate.address}").items():
        monkeypatch.setenv(name, value)
    gate.set(Way.FULL)
    with pytest.raises(NoRoom, match=KEY):
        ArtifactStore("s3://full").put_bytes(KEY, b"x")
    gate.close()


def test_a_put_that_breaks_off_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore((tmp_path / "store").as_uri())
    store.put_bytes(KEY, b"old")
    source = tmp_path / "source"
    source.write_bytes(bytes(CHUNK_BYTES * 3))
    real = LocalStore.put

    def break_off(self: LocalStore, path: str, file: Iterator[bytes], **options: object) -> object:
        def parts() -> Iterator[bytes]:
            yield next(file)
            raise OSError(28, "No space left on device")

        return real(self, path, parts(), **options)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(LocalStore, "put", break_off)
    with pytest.raises(NoRoom, match=KEY) as raised:
        store.put_file(KEY, source)
    assert (raised.value.code, raised.value.status) == ("disk_full", 507)
    assert str(tmp_path) not in f"{raised.value.detail} {raised.value.hint}"
    assert store.get_bytes(KEY) == b"old"
    assert [listed.key for listed in store.keys_below("runs/")] == [KEY]


def test_a_full_disk_in_the_words_of_the_store_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore((tmp_path / "store").as_uri())

    def refuse(*_: object, **__: object) -> None:
        message = "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)"
        raise GenericError(message)

    monkeypatch.setattr(LocalStore, "put", refuse)
    with pytest.raises(NoRoom, match=KEY):
        store.put_bytes(KEY, b"x")


def test_a_copy_that_the_local_disk_does_not_hold_is_no_fault_of_the_store(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_bytes(KEY, b"x")

    def refuse(_: int) -> None:
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr("store.artifacts.os.fsync", refuse)
    with pytest.raises(NoRoom, match="copy") as raised:
        store.fetch(KEY, tmp_path / "here" / "copy")
    assert str(tmp_path) not in f"{raised.value.detail} {raised.value.hint}"
    assert list((tmp_path / "here").iterdir()) == []


def test_copies_tell_how_far_they_are(store: ArtifactStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(CHUNK_BYTES + 5))
    put, fetched = [], []
    store.put_file(KEY, source, on_bytes=lambda *told: put.append(told))
    store.fetch(KEY, tmp_path / "copy", on_bytes=lambda *told: fetched.append(told))
    assert put == fetched == [(CHUNK_BYTES, CHUNK_BYTES + 5), (CHUNK_BYTES + 5, CHUNK_BYTES + 5)]
    assert store.size_of(KEY) == CHUNK_BYTES + 5


def test_a_large_thing_is_read_in_pieces(store: ArtifactStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(CHUNK_BYTES + 5))
    store.put_file(KEY, source)
    pieces = list(store.pieces(KEY, CHUNK_BYTES + 5))
    assert [len(piece) for piece in pieces] == [CHUNK_BYTES, 5]
    assert b"".join(pieces) == source.read_bytes()
    assert list(store.pieces(KEY, 0)) == []
    store.delete(KEY)
    with pytest.raises(ArtifactMissing, match=KEY):
        next(store.pieces(KEY, 1))


PUT = """
import sys
from pathlib import Path
from store.artifacts import ArtifactStore

def wait(done, total):
    print(done, flush=True)
    if done == total:
        sys.stdin.read()

ArtifactStore(sys.argv[1]).put_file("runs/7/12-1/model.safetensors", Path(sys.argv[2]), on_bytes=wait)
"""


def test_what_a_killed_process_had_begun_to_put_is_removed_after_its_time(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = ArtifactStore(folder.as_uri())
    store.put_bytes(KEY, b"old")
    source = tmp_path / "source"
    source.write_bytes(bytes(CHUNK_BYTES * 2))
    command = [sys.executable, "-c", PUT, store.url, str(source)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        process.kill()
    (left,) = [path for path in folder.rglob("*") if "#" in path.name]
    somebodys = [folder / name for name in ("notes/draft#2", "runs/notes#2", "uploads/contract.pdf#2")]
    for path in somebodys:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    assert store.remove_unfinished(older_than=timedelta(days=1)) == []
    two_days_ago = time.time() - 2 * 24 * 3600
    for path in (left, folder / KEY, *somebodys):
        os.utime(path, (two_days_ago, two_days_ago))
    assert store.remove_unfinished(older_than=timedelta(days=1)) == [f"runs/7/12-1/{left.name}"]
    assert store.get_bytes(KEY) == b"old"
    assert {path for path in folder.rglob("*") if path.is_file()} == {folder / KEY, *somebodys}


def test_a_key_is_ours_where_it_is_one_that_is_made_here() -> None:
    revision = sha256(b"items").hexdigest()
    made = [keys.bundle_key(revision), keys.manifest_key(revision), keys.output_key(7, 12, 1, "model.json")]
    assert all(
        map(keys.is_ours, [*made, keys.checkpoint_key(7, 1, 30), keys.old_checkpoint_key(7), keys.new_upload_key()])
    )
    others = ["uploads/contract.pdf", f"{keys.new_upload_key()}.pdf", "runs/notes", "datasets/ab12/images.tar", KEY]
    assert not any(map(keys.is_ours, others))


def test_an_unreachable_bucket_is_unavailable_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable, match="s3://nowhere") as raised:
        ArtifactStore("s3://nowhere").check()
    assert raised.value.hint is not None


def test_a_folder_that_vanished_is_unavailable(tmp_path: Path) -> None:
    store = ArtifactStore((tmp_path / "store").as_uri())
    (tmp_path / "store").rmdir()
    with pytest.raises(ServiceUnavailable, match="store"):
        store.check()


@pytest.mark.parametrize("url", ["file://relative/path", "s3:///prefix"])
def test_an_address_that_names_nothing_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        ArtifactStore(url)
