from pathlib import Path

import pytest

from ml.cache_names import (
    bundle_copies,
    bundle_copy,
    is_part,
    lock_of,
    part_of,
    presized_cache,
    presized_caches,
    whole_of,
)

REVISION = "ab12" * 16


def test_what_is_made_under_a_name_is_known_by_it_and_nothing_else_is(tmp_path: Path) -> None:
    whole, other = (presized_cache(tmp_path, REVISION, presize, 2) for presize in (460, 128))
    for folder in (whole, part_of(other), bundle_copy(tmp_path, REVISION)):
        folder.mkdir(parents=True)
    somebodys = [f"{REVISION}-460", f"{REVISION}-460-v2.part.part", "film.part", "datasets/mine/images.tar"]
    for name in (*somebodys, lock_of(whole).name):
        (tmp_path / name).mkdir(parents=True)
    assert sorted(presized_caches(tmp_path)) == sorted([whole, part_of(other)])
    assert bundle_copies(tmp_path) == [bundle_copy(tmp_path, REVISION)]


@pytest.mark.parametrize("presize", [1, 460])
def test_a_part_and_its_whole_have_one_lock(presize: int) -> None:
    whole = presized_cache(Path("cache"), REVISION, presize, 2)
    part = part_of(whole)
    assert (is_part(part), is_part(whole)) == (True, False)
    assert (whole_of(part), whole_of(whole), part_of(part)) == (whole, whole, part)
    assert lock_of(part) == lock_of(whole)
    assert lock_of(whole) not in {part, whole}
