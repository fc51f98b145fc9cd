"""Which code a process runs, as a worker tells it."""

from importlib.metadata import version
from pathlib import Path

from store.code_version import HOUSE, code_version, source_digest


def test_the_version_is_the_packages_and_its_sources() -> None:
    assert code_version() == f"{version('pedigree')}+{source_digest(HOUSE)}"


def test_a_change_of_what_a_worker_runs_is_another_version(tmp_path: Path) -> None:
    for name in ("ml/data/one.py", "worker/two.py", "api/three.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("FIRST = 1\n")
    before = source_digest(tmp_path)
    (tmp_path / "api/three.py").write_text("FIRST = 2\n")
    (tmp_path / "ml/data/notes.txt").write_text("not read\n")
    assert source_digest(tmp_path) == before
    (tmp_path / "ml/data/one.py").write_text("FIRST = 2\n")
    changed = source_digest(tmp_path)
    (tmp_path / "ml/data/one.py").rename(tmp_path / "ml/data/other.py")
    assert len({before, changed, source_digest(tmp_path)}) == 3
