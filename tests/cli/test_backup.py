"""`pedigree backup` and `pedigree restore`, as `benchmarks.backup_midway` uses them, with fewer jobs."""

from pathlib import Path

import pytest

from benchmarks.backup_midway import is_well, measured
from tests.cli.test_up import pedigree


@pytest.mark.thorough
@pytest.mark.long
def test_jobs_of_a_backup_made_in_their_midst_end_where_it_is_restored(tmp_path: Path) -> None:
    found = measured(tmp_path, jobs=1)
    assert is_well(found), found
    assert found["files_compared"] >= 3
    assert found["were_running"] + found["were_queued"] >= 1


@pytest.mark.thorough
def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "it.tar"
    file.write_text("mine")

    def said(*words: str) -> str:
        done = pedigree(data, *words)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    assert said("backup", str(file)) == f"pedigree: {file} is there already. Name another file, or a folder.\n"
    assert said("backup", str(tmp_path)) == f"pedigree: {data} holds no data. Name the data folder with --data.\n"
    gone = tmp_path / "gone" / "it.tar"
    assert said("backup", str(gone)) == f"pedigree: {gone.parent} is no folder. Make it first, or name another.\n"
    refused = "pedigree: The file is no backup of Pedigree. Restore another backup.\n"
    assert said("restore", str(file), "--check") == refused
    nothing = f"pedigree: {tmp_path} has no pedigree-*.backup.tar in it. Name the file itself.\n"
    assert said("restore", str(tmp_path)) == nothing
    missing = tmp_path / "no.tar"
    assert said("restore", str(missing), "--check").startswith(f"pedigree: {missing}: No such file or directory.")
    (data / "artifacts").mkdir(parents=True)
    (data / "artifacts" / "mine").write_text("kept")
    assert "is there already, and not empty" in said("restore", str(file))
    assert (data / "artifacts" / "mine").read_text() == "kept"
