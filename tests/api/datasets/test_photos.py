import os
from pathlib import Path

import pytest

from api.datasets.photos import OpenBundle, PhotoShelf
from ml.cache_names import bundle_copy
from ml.data.bundle import ImageSource, write_bundle
from ml.data.cache_room import make_room
from ml.data.manifest import Manifest
from store.artifacts import ArtifactStore
from store.errors import ArtifactMissing
from store.keys import bundle_key, manifest_key
from tests.ml.pictures import dataset


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def pets(artifacts: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, ImageSource]:
    """A dataset in a store that is not read in place."""
    manifest, source = dataset(tmp_path / "pets")
    write_bundle(tmp_path / "pets", manifest, tmp_path / "images.tar")
    artifacts.put_file(bundle_key(manifest.revision), tmp_path / "images.tar")
    artifacts.put_bytes(manifest_key(manifest.revision), manifest.model_dump_json().encode())
    monkeypatch.setattr(artifacts, "open_local", lambda _: None)
    return manifest, source


def test_a_fetched_bundle_that_made_room_for_another_is_fetched_again(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource]
) -> None:
    manifest, source = pets
    other = bundle_copy(cache, "ab12" * 16)
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x")
    shelf = PhotoShelf(artifacts, cache, cache_bytes=1)
    assert shelf.photo(manifest.revision, 2).data == source.read(2)
    assert not other.exists(), "the limit holds here too"
    make_room(cache, 0, 0)
    assert not bundle_copy(cache, manifest.revision).exists()
    assert shelf.photo(manifest.revision, 3).data == source.read(3)


def test_a_copy_that_goes_between_opening_and_reading_is_fetched_again(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, source = pets
    shelf = PhotoShelf(artifacts, cache)
    bundle = shelf.bundle(manifest.revision)
    make_room(cache, 0, 0)
    with pytest.raises(ArtifactMissing) as raised:
        bundle.read(2)
    assert raised.value.hint == "Send the request again: it is fetched again."
    opened, times = shelf.bundle, 0

    def bundle_that_goes(revision: str) -> OpenBundle:
        nonlocal times
        found, times = opened(revision), times + 1
        if times == 1:
            make_room(cache, 0, 0)
        return found

    monkeypatch.setattr(shelf, "bundle", bundle_that_goes)
    assert shelf.photo(manifest.revision, 2).data == source.read(2)
    assert times == 2


@pytest.mark.parametrize("keeps_some", [False, True])
def test_a_copy_that_lies_there_damaged_is_replaced(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource], keeps_some: bool
) -> None:
    manifest, source = pets
    copy = bundle_copy(cache, manifest.revision)
    whole = artifacts.fetch(bundle_key(manifest.revision), copy).read_bytes()
    offset, _ = OpenBundle(copy, manifest).places[manifest.items[-1].path]
    copy.write_bytes(whole[: offset + 1] if keeps_some else b"")
    assert PhotoShelf(artifacts, cache).photo(manifest.revision, 2).data == source.read(2)
    assert copy.read_bytes() == whole


def test_a_copy_that_is_damaged_later_is_fetched_anew_with_the_next_request(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource]
) -> None:
    manifest, source = pets
    shelf = PhotoShelf(artifacts, cache)
    bundle = shelf.bundle(manifest.revision)
    offset, size = bundle.places[manifest.items[2].path]
    data = bytearray(bundle.path.read_bytes())
    data[offset : offset + size] = bytes(size)
    bundle.path.write_bytes(data)
    with pytest.raises(ArtifactMissing) as raised:
        bundle.read(2)
    assert raised.value.hint == "Send the request again: it is fetched again."
    assert shelf.bundle(manifest.revision).read(2) == source.read(2)
    bundle_copy(cache, manifest.revision).write_bytes(data[: offset + 1])
    assert shelf.photo(manifest.revision, 2).data == source.read(2)


@pytest.mark.parametrize("damage", ["no bundle", "cut short", "other bytes"])
def test_where_the_stored_bundle_is_damaged_asking_again_is_advised_once_at_most(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource], damage: str
) -> None:
    manifest, _ = pets
    key = bundle_key(manifest.revision)
    whole = artifacts.get_bytes(key)
    copy = artifacts.fetch(key, bundle_copy(cache, manifest.revision))
    offset, size = OpenBundle(copy, manifest).places[manifest.items[2].path]
    copy.unlink()
    damaged = {
        "no bundle": b"no tar",
        "cut short": whole[: offset + 1],
        "other bytes": whole[:offset] + bytes(size) + whole[offset + size :],
    }
    artifacts.put_bytes(key, damaged[damage])
    shelf, hints = PhotoShelf(artifacts, cache), []
    for _ in range(3):
        with pytest.raises(ArtifactMissing) as raised:
            shelf.bundle(manifest.revision).read(2)
        hints.append(raised.value.hint)
    assert hints[1:] == ["Import the dataset again."] * 2
    artifacts.put_bytes(key, whole)
    assert shelf.bundle(manifest.revision).read(2)


def test_a_copy_in_place_of_a_damaged_one_that_makes_room_for_another_is_only_asked_for_again(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource]
) -> None:
    manifest, source = pets
    copy = bundle_copy(cache, manifest.revision)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"no tar")
    shelf = PhotoShelf(artifacts, cache)
    bundle = shelf.bundle(manifest.revision)
    make_room(cache, 0, 0)
    with pytest.raises(ArtifactMissing) as raised:
        bundle.read(2)
    assert raised.value.hint == "Send the request again: it is fetched again."
    assert shelf.bundle(manifest.revision).read(2) == source.read(2)


def test_a_damaged_copy_that_may_not_be_removed_is_named(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError

    manifest, _ = pets
    copy = bundle_copy(cache, manifest.revision)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"no tar")
    monkeypatch.setattr(Path, "unlink", forbidden)
    with pytest.raises(ArtifactMissing) as raised:
        PhotoShelf(artifacts, cache).bundle(manifest.revision)
    assert raised.value.hint == f"Remove {copy}, which the service itself may not."


def test_a_bundle_that_is_read_in_place_is_left_alone(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource], tmp_path: Path
) -> None:
    manifest, source = pets
    place = tmp_path / "images.tar"
    bundle = OpenBundle(place, manifest)
    offset, _ = bundle.places[manifest.items[2].path]
    whole = place.read_bytes()
    place.write_bytes(whole[: offset + 1])
    with pytest.raises(ArtifactMissing) as raised:
        bundle.photo(2)
    assert raised.value.hint == "Import the dataset again."
    assert place.exists()
    assert PhotoShelf(artifacts, cache).photo(manifest.revision, 2).data == source.read(2)


def test_a_copy_that_is_looked_into_again_counts_as_opened(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource]
) -> None:
    manifest, _ = pets
    shelf = PhotoShelf(artifacts, cache)
    copy = shelf.bundle(manifest.revision).path
    os.utime(copy, (1, 1))
    shelf.bundle(manifest.revision)
    assert copy.stat().st_mtime > 1


def test_a_manifest_is_parsed_once_for_what_it_says_and_anew_when_it_says_more(
    artifacts: ArtifactStore, cache: Path, pets: tuple[Manifest, ImageSource]
) -> None:
    manifest, _ = pets
    shelf = PhotoShelf(artifacts, cache)
    first = shelf.manifest(manifest.revision)
    assert shelf.manifest(manifest.revision) is first
    assert shelf.bundle(manifest.revision).manifest is first
    again = manifest.model_copy(update={"name": "other"})
    artifacts.put_bytes(manifest_key(manifest.revision), again.model_dump_json().encode())
    assert shelf.manifest(manifest.revision) == again
