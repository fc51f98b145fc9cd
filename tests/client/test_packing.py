"""A folder as a tar that is made while it is sent."""

import io
import tarfile
from pathlib import Path

import pytest

from pedigree import PedigreeError
from pedigree.packing import file_bytes, links_left_out, tar_bytes, tar_entries, tar_size


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


def test_hidden_files_stay_at_home(tmp_path: Path) -> None:
    (tmp_path / "seen_1.jpg").write_bytes(b"1")
    (tmp_path / ".hidden_1.jpg").write_bytes(b"1")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x_1.jpg").write_bytes(b"1")
    (tmp_path / ".link_1.jpg").symlink_to(tmp_path / "seen_1.jpg")
    assert [entry.path.name for entry in tar_entries(tmp_path)] == ["seen_1.jpg"]
    assert links_left_out(tmp_path) == []


def test_links_to_files_are_sent_as_files_and_other_links_are_counted(tmp_path: Path) -> None:
    chosen, elsewhere = tmp_path / "chosen", tmp_path / "elsewhere"
    for folder in (chosen, elsewhere):
        folder.mkdir()
    (elsewhere / "0.jpg").write_bytes(b"a picture")
    (chosen / "pug_1.jpg").symlink_to(elsewhere / "0.jpg")
    (chosen / "pug_2.jpg").symlink_to("pug_1.jpg")
    (chosen / "broken_1.jpg").symlink_to("nothing")
    (chosen / "around").symlink_to(chosen)
    packed = b"".join(tar_bytes(tar_entries(chosen)))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert [(member.name, member.isreg(), member.size) for member in tar] == [
            ("pug_1.jpg", True, 9),
            ("pug_2.jpg", True, 9),
        ]
    assert [path.name for path in links_left_out(chosen)] == ["around", "broken_1.jpg"]


def test_a_folder_of_links_to_nothing_is_refused_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "a_1.jpg").symlink_to("nothing")
    with pytest.raises(PedigreeError, match="has no files in it but links to folders or to nothing"):
        tar_entries(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PedigreeError, match="has no files in it"):
        tar_entries(tmp_path)


@pytest.mark.parametrize("now", [b"short", b"longer than before"])
def test_a_file_that_changes_meanwhile_breaks_the_upload_off(tmp_path: Path, now: bytes) -> None:
    path = tmp_path / "a_1.jpg"
    path.write_bytes(b"0123456789")
    entries = tar_entries(tmp_path)
    path.write_bytes(now)
    with pytest.raises(PedigreeError, match="changed while it was sent"):
        list(tar_bytes(entries))


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PedigreeError, match=r"gone\.tar cannot be read: No such file"):
        list(file_bytes(tmp_path / "gone.tar", 10))
