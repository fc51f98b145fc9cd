import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ml.cache_names import bundle_copy, lock_of
from ml.data import cache as cache_module
from ml.data.bundle import ImageSource
from ml.data.cache import PresizedCache, open_cache
from ml.data.cache_lock import building_alone
from ml.data.cache_room import SPARE_BYTES, make_room
from ml.data.manifest import Manifest
from ml.decode.images import Limits
from tests.conftest import REPOSITORY
from tests.ml.cache_builder import SlowFolder
from tests.ml.pictures import dataset, fill

SIZES = (24, 32, 40)
HOUR = 3600.0


def opened(
    manifest: Manifest, source: ImageSource, root: Path, size: int, cache_bytes: int | None = None
) -> PresizedCache:
    return open_cache(
        manifest, source, presize=size, root=root, limits=Limits(), on_progress=None, cache_bytes=cache_bytes
    )


def folders(root: Path) -> dict[int, Path]:
    """Each cache below a root by its presize."""
    return {int(path.name.split("-")[1]): path for path in root.glob("*-v2")}


def age(folder: Path, hours: float) -> None:
    """Have a cache be built and opened so long ago."""
    for path in folder.iterdir():
        then = path.stat().st_mtime - hours * HOUR
        os.utime(path, (then, then))


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Caches of three sizes; the smallest was opened last, the middle one longest ago."""
    manifest, source = dataset(tmp_path / "pets")
    root = tmp_path / "cache"
    for size in SIZES:
        opened(manifest, source, root, size)
    for size, hours in zip(SIZES, (3, 5, 4), strict=True):
        age(folders(root)[size], hours)
    return root


def test_what_was_opened_least_recently_goes_first_and_only_as_much_as_is_needed(root: Path) -> None:
    held = {size: bytes_of(folder) for size, folder in folders(root).items()}
    make_room(root, 1000, sum(held.values()) + 1000)
    assert set(folders(root)) == set(SIZES)
    make_room(root, 1001, sum(held.values()) + 1000)
    assert set(folders(root)) == {24, 40}
    make_room(root, 0, 0)
    assert not folders(root)
    assert {path.suffix for path in root.iterdir()} == {".lock"}


def test_a_build_makes_room_and_an_open_one_stays_readable(tmp_path: Path, root: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    used = opened(manifest, source, root, 32)
    opened(manifest, source, root, 24)
    before = np.array(used.centre(5))
    opened(manifest, source, root, 48, cache_bytes=1)
    assert set(folders(root)) == {48}
    assert np.array_equal(used.centre(5), before)


def test_opening_counts_as_use(tmp_path: Path, root: Path) -> None:
    opened(*dataset(tmp_path / "pets"), root, 32)
    make_room(root, 0, sum(map(bytes_of, folders(root).values())) - 1)
    assert set(folders(root)) == {24, 32}


def test_a_short_disk_costs_what_was_opened_least_recently(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(root)
    free = iter((999, 999, 1000))
    monkeypatch.setattr("ml.data.cache_room.shutil.disk_usage", lambda _: usage._replace(free=next(free) + SPARE_BYTES))
    make_room(root, 1000, None)
    assert set(folders(root)) == {24, 40}


def test_what_another_builds_is_left_alone(root: Path) -> None:
    with building_alone(lock_of(folders(root)[32]), None, None):
        make_room(root, 0, 0)
    assert set(folders(root)) == {32}


def test_what_was_being_removed_when_its_process_was_killed_goes_too(root: Path) -> None:
    folder = folders(root)[32]
    folder.replace(folder.with_name(f"{folder.name}.part"))
    make_room(root, 0, 0)
    assert {path.suffix for path in root.iterdir()} == {".lock"}


def test_copies_of_bundles_count_and_go_by_the_same_rule(root: Path) -> None:
    copy = bundle_copy(root, "ab12" * 16)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(bytes(5000))
    total = sum(map(bytes_of, folders(root).values())) + 5000
    make_room(root, 0, total)
    assert copy.exists()
    os.utime(copy, (0, 0))
    make_room(root, 0, total - 1)
    assert not copy.exists()
    assert set(folders(root)) == set(SIZES)


def test_somebodys_own_files_make_no_room(tmp_path: Path) -> None:
    own = [tmp_path / name for name in ("20240101-12-v2/letter", "datasets/mine/images.tar")]
    for file in own:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"mine")
    make_room(tmp_path, 0, 0)
    assert all(file.exists() for file in own)


def test_a_cache_that_is_removed_while_it_is_opened_is_built_again(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, _ = dataset(tmp_path / "pets")
    source = SlowFolder(tmp_path / "pets", manifest, 0)

    def removed_first(_: Path) -> None:
        monkeypatch.undo()
        make_room(root, 0, 0)

    monkeypatch.setattr(cache_module, "note_opened", removed_first)
    assert len(opened(manifest, source, root, 32)) == 6
    assert source.reads == 6


OPENER = """
import sys
from pathlib import Path
from ml.data.bundle import Folder
from ml.data.cache import open_cache
from ml.decode.images import Limits
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder

folder, root, sizes = Path(sys.argv[1]), Path(sys.argv[2]), [int(word) for word in sys.argv[3:]]
manifest = scan_folder(folder, LabelRule(), name="pets")
source = Folder(folder, manifest)
for size in sizes * 10:
    cache = open_cache(
        manifest, source, presize=size, root=root, limits=Limits(), on_progress=None, cache_bytes=1
    )
    assert sum(int(cache.centre(i).sum()) for i in range(len(cache))) > 0
"""


def test_two_processes_that_remove_each_others_caches_both_get_theirs(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", [f"breed{n % 2}_{n}.jpg" for n in range(12)])
    orders = (["24", "32", "40"], ["40", "24", "32"])
    command = [sys.executable, "-c", OPENER, str(folder), str(tmp_path / "cache")]
    both = [subprocess.Popen([*command, *sizes], cwd=REPOSITORY, stderr=subprocess.PIPE) for sizes in orders]
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in both]
    assert ends == [(b"", 0), (b"", 0)]
    assert not list((tmp_path / "cache").glob("*.part"))
