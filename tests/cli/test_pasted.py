"""Paths as people paste them."""

from pathlib import Path

import click
import pytest

from cli.pasted import PastedPath, meanings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "My photos"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "pasted",
    ["{}", " {} ", "{}\n", "'{}'", '"{}"', "“{}”", "file://{}", "file://{percent}", "~/My photos", "~/My\\ photos"],
)
def test_a_folder_is_found_however_it_was_pasted(folder: Path, pasted: str) -> None:
    percent = str(folder).replace(" ", "%20")
    assert PastedPath().convert(pasted.format(folder, percent=percent), None, None) == folder


def test_a_name_that_is_there_as_it_stands_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("'a'", "a"):
        (tmp_path / name).mkdir()
    assert PastedPath().convert("'a'", None, None) == Path("'a'")


@pytest.mark.parametrize("pasted", ["", "''", "file://", "~nobody-of-that-name/x", "nowhere"])
def test_what_is_not_there_is_told_as_it_was_written(pasted: str) -> None:
    assert meanings(pasted)[0] == pasted
    if pasted not in {"", "''", "file://"}:
        with pytest.raises(click.BadParameter):
            PastedPath().convert(pasted, None, None)
