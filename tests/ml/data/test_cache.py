import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ml.data import cache as cache_module
from ml.data.bundle import Folder, ImageSource
from ml.data.cache import PresizedCache, open_cache
from ml.data.manifest import Manifest
from ml.decode.images import Limits
from ml.decode.presize import resize_square
from ml.errors import DatasetUnusable, DiskFull, Stopped
from tests.ml.cache_builder import SlowFolder
from tests.ml.pictures import dataset, fill, jpeg, open_rgb
from tests.patience import PATIENCE_SECONDS

REPOSITORY = Path(__file__).parents[3]
SIZE = 32


def opened(manifest: Manifest, source: ImageSource, root: Path, size: int = SIZE) -> PresizedCache:
    return open_cache(manifest, source, presize=size, root=root, limits=Limits(), on_progress=None)


def folder_of(root: Path) -> Path:
    """The one cache below a root."""
    (found,) = [path for path in root.iterdir() if path.is_dir()]
    return found


def builder(folder: Path, root: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ml.cache_builder", str(folder), str(root), str(seconds)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_centre_is_the_validation_picture_bit_for_bit(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    cache = opened(manifest, source, tmp_path / "cache")
    assert (len(cache), cache.size) == (6, SIZE)
    for i in range(len(cache)):
        assert np.array_equal(cache.centre(i), np.asarray(resize_square(open_rgb(source.read(i), Limits()), SIZE)))
        assert min(cache.image(i).shape[:2]) == SIZE


def test_windows_walk_along_the_long_side(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    cache = opened(manifest, source, tmp_path / "cache")
    sides = set()
    for i in range(len(cache)):
        whole = cache.image(i)
        spare = max(whole.shape[:2]) - SIZE
        along = int(whole.shape[1] > whole.shape[0])
        sides.add((along, spare > 0))
        for position in (0.0, 0.37, 1.0):
            first = int(position * spare)
            wanted = whole[:, first : first + SIZE] if along else whole[first : first + SIZE]
            assert np.array_equal(cache.window(i, position), wanted)
    assert sides == {(0, False), (0, True), (1, True)}


def test_gather_copies_windows_or_centres(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    cache = opened(manifest, source, tmp_path / "cache")
    out = np.zeros((3, SIZE, SIZE, 3), np.uint8)
    cache.gather([4, 0, 4], None, out)
    assert np.array_equal(out, np.stack([cache.centre(4), cache.centre(0), cache.centre(4)]))
    cache.gather([1, 2, 3], [0.0, 0.5, 1.0], out)
    assert np.array_equal(out, np.stack([cache.window(1, 0.0), cache.window(2, 0.5), cache.window(3, 1.0)]))


def test_it_is_read_only(tmp_path: Path) -> None:
    cache = opened(*dataset(tmp_path / "pets"), tmp_path / "cache")
    with pytest.raises(ValueError, match="read-only"):
        cache.image(0)[0, 0, 0] = 1


def test_it_is_built_once_for_each_revision_and_size(tmp_path: Path) -> None:
    manifest, _ = dataset(tmp_path / "pets")
    source = SlowFolder(tmp_path / "pets", manifest, 0)
    opened(manifest, source, tmp_path / "cache")
    renamed = manifest.model_copy(update={"name": "others"})
    opened(renamed, source, tmp_path / "cache")
    assert source.reads == 6
    opened(manifest, source, tmp_path / "cache", size=40)
    assert source.reads == 12
    fewer = Manifest(name="pets", items=manifest.items[:4])
    opened(fewer, source, tmp_path / "cache")
    assert source.reads == 16


def test_progress_ends_at_the_number_of_items(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    told: list[tuple[int, int]] = []
    open_cache(
        manifest,
        source,
        presize=SIZE,
        root=tmp_path / "cache",
        limits=Limits(),
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (6, 6)
    assert told == sorted(told)


def truncate(folder: Path) -> None:
    pixels = folder / cache_module.PIXELS
    pixels.write_bytes(pixels.read_bytes()[:-1])


def scramble_index(folder: Path) -> None:
    index = np.load(folder / cache_module.INDEX)
    np.save(folder / cache_module.INDEX, index[::-1].copy())


def remove_marker(folder: Path) -> None:
    (folder / cache_module.META).unlink()


def break_marker(folder: Path) -> None:
    (folder / cache_module.META).write_text('{"format_version"')


def age_marker(folder: Path) -> None:
    meta = json.loads((folder / cache_module.META).read_text())
    (folder / cache_module.META).write_text(json.dumps(meta | {"format_version": 0}))


def remove_pixels(folder: Path) -> None:
    (folder / cache_module.PIXELS).unlink()


@pytest.mark.parametrize(
    "damage",
    [truncate, scramble_index, remove_marker, break_marker, age_marker, remove_pixels],
    ids=lambda d: d.__name__,
)
def test_a_damaged_cache_is_never_served_but_built_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    manifest, _ = dataset(tmp_path / "pets")
    source = SlowFolder(tmp_path / "pets", manifest, 0)
    first = np.array(opened(manifest, source, tmp_path / "cache").centre(5))
    damage(folder_of(tmp_path / "cache"))
    again = opened(manifest, source, tmp_path / "cache")
    assert source.reads == 12
    assert np.array_equal(again.centre(5), first)


def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    root = tmp_path / "cache"
    with pytest.raises(Stopped):
        open_cache(
            manifest, source, presize=SIZE, root=root, limits=Limits(), on_progress=None, should_stop=lambda: True
        )
    assert [path.suffix for path in root.iterdir()] == [".lock"]


def test_a_picture_that_changed_ends_the_build_and_leaves_nothing_behind(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    (tmp_path / "pets" / manifest.items[3].path).write_bytes(jpeg(seed=77))
    with pytest.raises(DatasetUnusable, match=manifest.items[3].path):
        opened(manifest, source, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_picture_beyond_the_limits_is_named(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    with pytest.raises(DatasetUnusable, match=r"breed\d_\d\.jpg: the picture has .* pixels"):
        open_cache(manifest, source, presize=SIZE, root=tmp_path, limits=Limits(max_pixels=100), on_progress=None)


def test_a_disk_too_small_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, _ = dataset(tmp_path / "pets")
    source = SlowFolder(tmp_path / "pets", manifest, 0)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("ml.data.cache_build.shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskFull, match="GiB free") as caught:
        opened(manifest, source, tmp_path / "cache")
    assert "PEDIGREE_CACHE" in str(caught.value.hint)
    assert source.reads == 0


def test_of_two_processes_one_builds_and_the_other_waits_and_says_so(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", [f"breed{n % 2}_{n}.jpg" for n in range(40)])
    both = [builder(folder, tmp_path / "cache", 0.05) for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    lines = [out.splitlines() for out, _ in outputs]
    last = sorted(lines, key=lambda found: found[-1])
    assert [found[-1].split()[0] for found in last] == ["built", "found"]
    assert last[0][-1].split()[1:] == last[1][-1].split()[1:]
    assert any(line.endswith(" 40") for line in last[1]), "the waiting one never saw the builder's progress"


def test_a_killed_builders_leftovers_are_cleaned_and_the_cache_is_built(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", [f"breed{n % 2}_{n}.jpg" for n in range(40)])
    root = tmp_path / "cache"
    process = builder(folder, root, 0.2)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("progress")
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    assert folder_of(root).suffix == ".part"
    manifest, _ = dataset(folder, breeds=0)
    cache = opened(manifest, Folder(folder, manifest), root)
    assert len(cache) == 40
    assert folder_of(root).suffix != ".part"


def test_a_listener_that_fails_finds_no_thread_writing_when_the_build_has_ended(tmp_path: Path) -> None:
    manifest, _ = dataset(tmp_path / "pets", each=20)
    source = SlowFolder(tmp_path / "pets", manifest, 0.05)

    def tell(_done: int, _total: int) -> None:
        raise ConnectionError

    root = tmp_path / "cache"
    with pytest.raises(ConnectionError):
        open_cache(manifest, source, presize=SIZE, root=root, limits=Limits(), on_progress=tell)
    reads = source.reads
    assert reads < len(manifest.items)
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
    assert [path.suffix for path in root.iterdir()] == [".lock"]
