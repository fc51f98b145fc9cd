import io
import tarfile
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.upload import file_bytes, tar_bytes, tar_entries, tar_size


def test_the_streamed_tar_is_the_folder_and_as_long_as_was_said(tmp_path: Path) -> None:
    long_name = "n" * 180 + "_1.jpg"
    contents = {"a_1.jpg": b"x" * 700, "sub/b ü_2.jpg": b"y" * 512, f"sub/{long_name}": b"", "sub/c_3.jpg": b"z"}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    entries = tar_entries(tmp_path)
    packed = b"".join(tar_bytes(entries))
    assert len(packed) == tar_size(entries)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        assert {name: file.read() for name, file in found.items() if file is not None} == contents
    assert [entry.path.name for entry in entries] == ["a_1.jpg", "b ü_2.jpg", "c_3.jpg", long_name]


def test_hidden_files_and_links_stay_at_home(tmp_path: Path) -> None:
    (tmp_path / "seen_1.jpg").write_bytes(b"1")
    (tmp_path / ".hidden_1.jpg").write_bytes(b"1")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x_1.jpg").write_bytes(b"1")
    (tmp_path / "link_1.jpg").symlink_to("/etc/passwd")
    assert [entry.path.name for entry in tar_entries(tmp_path)] == ["seen_1.jpg"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no files in it"):
        tar_entries(tmp_path)


@pytest.mark.parametrize("now", [b"short", b"longer than before"])
def test_a_file_that_changes_meanwhile_breaks_the_upload_off(tmp_path: Path, now: bytes) -> None:
    path = tmp_path / "a_1.jpg"
    path.write_bytes(b"0123456789")
    entries = tar_entries(tmp_path)
    path.write_bytes(now)
    with pytest.raises(CommandError, match="changed while it was sent"):
        list(tar_bytes(entries))


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"gone\.tar cannot be read: No such file"):
        list(file_bytes(tmp_path / "gone.tar", 10))
