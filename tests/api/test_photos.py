from pathlib import Path

import pytest

from api.photos import PhotoShelf
from ml.bundle import write_bundle
from ml.cache_room import bundle_copy, make_room
from store.artifacts import ArtifactStore
from store.keys import bundle_key, manifest_key
from tests.ml.pictures import dataset


def test_a_fetched_bundle_that_made_room_for_another_is_fetched_again(
    artifacts: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, source = dataset(tmp_path / "pets")
    write_bundle(tmp_path / "pets", manifest, tmp_path / "images.tar")
    artifacts.put_file(bundle_key(manifest.revision), tmp_path / "images.tar")
    artifacts.put_bytes(manifest_key(manifest.revision), manifest.model_dump_json().encode())
    monkeypatch.setattr(artifacts, "open_local", lambda _: None)
    cache = tmp_path / "cache"
    other = bundle_copy(cache, "ab12")
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x")
    shelf = PhotoShelf(artifacts, cache, cache_bytes=1)
    assert shelf.photo(manifest.revision, 2).data == source.read(2)
    assert not other.exists(), "the limit holds here too"
    make_room(cache, 0, 0)
    assert not bundle_copy(cache, manifest.revision).exists()
    assert shelf.photo(manifest.revision, 3).data == source.read(3)
