"""Which tables of an archive are held while its names are read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ml.unpack import listing
from ml.unpack.listing import list_archive
from tests.ml.unpack.test_archive import zipped
from tests.ml.unpack.test_hostile_archives import PLENTY, listed, tarred


@pytest.mark.parametrize("packed", [zipped, tarred])
def test_tables_that_are_no_lists_do_not_get_in_the_way(
    tmp_path: Path, packed: Callable[[dict[str, bytes]], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual list has a place of its own, and so has the one that is asked for; hidden tables take none."""
    monkeypatch.setattr(listing, "MAX_LIST_BYTES", 20)
    files = {f"__MACOSX/._{n}.csv": b"x" for n in range(9)} | {".hidden/labels.csv": b"x", "features.csv": bytes(21)}
    files |= {f"{n}.tsv": b"x" for n in range(9)} | {"a/LABELS.CSV": b"1.jpg,pug", "b/labels.csv": b"x", "z.csv": b"z"}
    data = packed(files)
    found = listed(tmp_path, data)
    assert [*found.tables] == ["0.tsv", "1.tsv", "2.tsv", "3.tsv", "a/LABELS.CSV"]
    assert (found.too_large, found.names) == ({"features.csv"}, [*files])
    assert [found.has_looked_at(one) for one in ("features.csv", "0.tsv", "none.csv", "z.csv")] == [True] * 3 + [False]
    for name in ("z.csv", ".hidden/labels.csv", "b/labels.csv"):
        asked = list_archive(tmp_path / "archive", seconds=PLENTY, table=name)
        assert asked.tables == found.tables | {name: files[name]}
