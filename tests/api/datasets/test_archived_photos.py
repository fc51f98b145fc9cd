"""Photos out of uploaded archives: how many may wait for theirs."""

import io
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from api.datasets import archived_photos
from api.datasets.archive_readers import AT_ONCE, ArchiveReaders
from api.datasets.archived_photos import MOST_WAITING, ArchivedPhotos
from store.errors import InvalidRequest, NotFound, PayloadTooLarge, StateConflict, TooBusy
from tests.api.conftest import until
from tests.api.datasets.test_trials import tar
from tests.api.datasets.test_uploads_tus import archive
from tests.api.records import jpeg

TOO_MANY = 5


def test_who_asks_when_many_wait_is_refused_at_once_and_takes_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def read_slowly(_photos: ArchivedPhotos, _archive: Path, _path: str) -> None:
        goes_on.wait()

    monkeypatch.setattr(ArchivedPhotos, "_read", read_slowly)
    photos = ArchivedPhotos(ArchiveReaders(), max_unpacked=1, max_photo=1)
    asked = AT_ONCE + MOST_WAITING + TOO_MANY
    with ThreadPoolExecutor(asked) as pool:
        answers = [pool.submit(photos.photo, tmp_path, "a.jpg") for _ in range(asked)]
        until(lambda: sum(answer.done() for answer in answers) >= TOO_MANY)
        goes_on.set()
    kinds = [type(answer.exception()) for answer in answers]
    assert (kinds.count(TooBusy), kinds.count(NotFound)) == (TOO_MANY, AT_ONCE + MOST_WAITING)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_photo_of_some_megabytes_is_read_out_of_a_tar(tmp_path: Path, mode: str) -> None:
    photo = jpeg() + bytes(3 << 20)
    (tmp_path / "archive").write_bytes(tar({"pug_1.jpg": b"x", "pug_2.jpg": photo}, mode))
    photos = ArchivedPhotos(ArchiveReaders(), max_unpacked=1 << 30, max_photo=4 << 20)
    assert photos.photo(tmp_path / "archive", "pug_2.jpg").data == photo
    with pytest.raises(PayloadTooLarge):
        ArchivedPhotos(ArchiveReaders(), max_unpacked=1 << 30, max_photo=2 << 20).photo(
            tmp_path / "archive", "pug_2.jpg"
        )


@pytest.mark.parametrize("target", ["a/pug_1.jpg", "./a/pug_1.jpg", "b/pug_2.jpg"])
def test_a_further_name_of_a_photo_shows_it(tmp_path: Path, target: str) -> None:
    """What `tar` makes of two names of one file."""
    photo = jpeg()
    with tarfile.open(tmp_path / "archive", "w") as packed:
        first = tarfile.TarInfo("a/pug_1.jpg")
        first.size = len(photo)
        packed.addfile(first, io.BytesIO(photo))
        for name, same_as in (("b/pug_2.jpg", "a/pug_1.jpg"), ("pug_3.jpg", target), ("odd.jpg", "odd.jpg")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.LNKTYPE, same_as
            packed.addfile(link)
    photos = ArchivedPhotos(ArchiveReaders(), max_unpacked=1 << 30, max_photo=4 << 20)
    for name in ("b/pug_2.jpg", "pug_3.jpg"):
        assert photos.photo(tmp_path / "archive", name).data == photo
    with pytest.raises(NotFound):
        photos.photo(tmp_path / "archive", "odd.jpg")


def test_a_photo_of_a_zip_is_found_without_opening_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo, opened, open_one = jpeg(), list[object](), zipfile.ZipFile.open

    def noted(packed: zipfile.ZipFile, name: zipfile.ZipInfo) -> IO[bytes]:
        opened.append(name.filename)
        return open_one(packed, name)

    with zipfile.ZipFile(tmp_path / "archive", "w") as packed:
        for number in range(50):
            packed.writestr(f"a/pug_{number}.jpg", photo)
    monkeypatch.setattr(zipfile.ZipFile, "open", noted)
    photos = ArchivedPhotos(ArchiveReaders(), max_unpacked=1 << 30, max_photo=4 << 20)
    assert photos.photo(tmp_path / "archive", "a/pug_44.jpg").data == photo
    assert opened == ["a/pug_44.jpg"]


def test_who_waits_too_long_for_a_photo_is_told_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archived_photos, "READ_SECONDS", -1.0)
    photos = ArchivedPhotos(ArchiveReaders(), max_unpacked=1 << 30, max_photo=4 << 20)
    hints = []
    for data in (archive("pug_1.jpg"), tar({"pug_1.jpg": b"x"})):
        (tmp_path / "archive").write_bytes(data)
        with pytest.raises(InvalidRequest) as caught:
            photos.photo(tmp_path / "archive", "pug_1.jpg")
        hints.append((caught.value.hint or "")[:12])
    assert hints == ["Send fewer f", "Send a zip, "]


def test_a_photo_of_what_has_become_an_import_is_a_conflict(tmp_path: Path) -> None:
    with pytest.raises(StateConflict):
        ArchivedPhotos(ArchiveReaders(), max_unpacked=1, max_photo=1).photo(tmp_path / "gone", "pug_1.jpg")
