import hashlib
import io
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml.errors import ArchiveRejected, DownloadFailed
from ml.fetch.oxford import PublishedFile, download_pets, published_images
from tests.ml.pictures import jpeg
from tests.ml.published_files import Publisher, publishing

NAME = "pets/data/images.tar.gz"


def archive(folder: str = "images") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for n in range(3):
            member = tarfile.TarInfo(f"{folder}/pug_{n}.jpg")
            member.size = len(jpeg(seed=n))
            tar.addfile(member, io.BytesIO(jpeg(seed=n)))
    return data.getvalue()


@pytest.fixture
def server() -> Iterator[Publisher]:
    with publishing({NAME: archive()}) as running:
        yield running


def source(server: Publisher) -> PublishedFile:
    return PublishedFile(server.url(NAME), hashlib.md5(server.files[NAME], usedforsecurity=False).hexdigest())


def test_it_is_fetched_verified_unpacked_and_not_fetched_again(tmp_path: Path, server: Publisher) -> None:
    told: list[tuple[int, int]] = []
    size = len(server.files[NAME])
    images = download_pets(
        tmp_path, on_progress=lambda done, total: told.append((done, total)), published=source(server)
    )
    assert images == tmp_path / "images"
    assert (images / "pug_2.jpg").read_bytes() == jpeg(seed=2)
    assert told[-1] == (size, size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "pets.lock"]
    assert download_pets(tmp_path, published=source(server)) == images
    assert len(server.ranges) == 1


def test_it_goes_on_where_it_broke_off(tmp_path: Path, server: Publisher) -> None:
    server.break_after = 700
    with pytest.raises(DownloadFailed, match=r"images\.tar\.gz") as caught:
        download_pets(tmp_path, published=source(server))
    assert "what came is kept" in str(caught.value.hint)
    server.break_after = None
    download_pets(tmp_path, published=source(server))
    assert server.ranges == [None, "bytes=700-"]


def test_what_a_killed_import_left_is_no_obstacle(tmp_path: Path, server: Publisher) -> None:
    (tmp_path / "unpacked" / "images").mkdir(parents=True)
    (tmp_path / "unpacked" / "images" / "pug_0.jpg").write_bytes(b"half of it")
    images = download_pets(tmp_path, published=source(server))
    assert (images / "pug_0.jpg").read_bytes() == jpeg(seed=0)
    assert not (tmp_path / "unpacked").exists()


def test_a_server_without_ranges_is_asked_for_the_whole(tmp_path: Path, server: Publisher) -> None:
    (tmp_path / "images.tar.gz.part").write_bytes(b"the first bytes of something")
    server.understands_range = False
    assert download_pets(tmp_path, published=source(server)).is_dir()


def test_a_complete_part_is_not_fetched_again(tmp_path: Path, server: Publisher) -> None:
    (tmp_path / "images.tar.gz.part").write_bytes(server.files[NAME])
    assert download_pets(tmp_path, published=source(server)).is_dir()


def test_a_wrong_checksum_is_refused_and_thrown_away(tmp_path: Path, server: Publisher) -> None:
    with pytest.raises(DownloadFailed, match="MD5"):
        download_pets(tmp_path, published=PublishedFile(server.url(NAME), "0" * 32))
    assert [path.name for path in tmp_path.iterdir()] == ["pets.lock"]


def test_a_missing_file_is_said_with_the_way_round(tmp_path: Path, server: Publisher) -> None:
    with pytest.raises(DownloadFailed, match="answered 404") as caught:
        download_pets(tmp_path, published=PublishedFile(server.url("gone"), "0" * 32))
    assert "pedigree datasets add oxford-iiit-pet images.tar.gz" in str(caught.value.hint)


def test_a_host_that_is_not_there_is_said_with_the_way_round(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(DownloadFailed, match=r"could not be fetched from 127\.0\.0\.1") as caught:
            download_pets(tmp_path, published=PublishedFile(f"http://127.0.0.1:{port}/{NAME}", "0" * 32))
    assert "Without a network" in str(caught.value.hint)


def test_an_archive_without_the_folder_is_refused(tmp_path: Path, server: Publisher) -> None:
    server.files[NAME] = archive("photos")
    with pytest.raises(ArchiveRejected, match="no folder named images"):
        download_pets(tmp_path, published=source(server))


def test_the_published_address_is_torchvisions() -> None:
    found = published_images()
    assert found.url.startswith("https://")
    assert found.url.endswith("/images.tar.gz")
    assert found.md5 == "5c4f3ee8e5d25df40f4fd59a7f44e54c"
