"""What the command says of a folder that it sends; how it is packed is the client's."""

from pathlib import Path

import pytest

from cli.client import Client
from cli.datasets import add_source
from cli.errors import CommandError
from tests.cli.service import Answer, serving


def test_links_left_out_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pug_1.jpg").write_bytes(b"1")
    (tmp_path / "pug_2.jpg").symlink_to("nothing")
    with serving({"POST /datasets": [Answer({"id": 1}, 202)]}) as service, Client(service.url) as client:
        add_source(client, "pets", tmp_path)
    assert f"to nothing: 1 of the links, {tmp_path / 'pug_2.jpg'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ((), "{0} has no files in it."),
        ((".hidden",), "{0} has no files in it but hidden ones (.hidden). Give the files and folders names"),
    ],
)
def test_a_folder_with_nothing_to_send_is_one_sentence(tmp_path: Path, made: tuple[str, ...], said: str) -> None:
    for name in made:
        (tmp_path / name).touch()
    with Client("http://127.0.0.1:9") as client, pytest.raises(CommandError) as raised:
        add_source(client, "pets", tmp_path)
    assert str(raised.value).startswith(said.format(tmp_path))


def test_what_is_no_folder_and_no_file_is_one_sentence(tmp_path: Path) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(CommandError) as raised:
        add_source(client, "pets", tmp_path / "gone")
    assert str(raised.value) == f"{tmp_path / 'gone'} is neither a folder nor a file."
