"""Tables of real names, on terminals of several widths and through a pipe."""

import os
import pty
import subprocess
import sys
import termios
from typing import Any

import pytest
from rich.cells import cell_len

from cli.tables import show_pairs, show_table

SHOW = "from cli.tables import show_table; import sys; show_table(('file', 'breed', 'score'), eval(sys.argv[1]))"
LONG = "a-photo-of-our-cat-in-the-garden-on-a-rainy-afternoon-of-last-november_0001.jpg"


def on_a_terminal(width: int, rows: list[list[Any]]) -> list[str]:
    """What a terminal of so many columns is sent for a table of three."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, width))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    command = [sys.executable, "-c", SHOW, repr(rows)]
    said = bytearray()
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "dumb"}
    ) as process:
        os.close(theirs)
        while part := _read(ours):
            said += part
    os.close(ours)
    assert process.returncode == 0, said
    return said.decode().replace("\r\n", "\n").splitlines()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's word for a terminal that nobody writes to any more
        return b""


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_fits_the_terminal_and_loses_no_letter(width: int) -> None:
    rows = [[LONG, "Egyptian_Mau", 0.5], ["猫の写真.jpg", "Birman", 0.25], ["[red]a[/red].jpg", "pug", 0.125]]
    lines = on_a_terminal(width, rows)
    assert max(map(cell_len, lines)) <= width
    together = "".join("".join(line.split()) for line in lines)
    for row in rows:
        for cell in row:
            assert str(cell) in together or all(part in together for part in _thirds(str(cell)))
    assert any("Egyptian_Mau" in line for line in lines), "a breed stays on one line"
    assert sum("0.125" in line for line in lines) == 1


def _thirds(name: str) -> list[str]:
    """Parts of a name that was folded between other columns: at least each small piece is there."""
    return [name[at : at + 4] for at in range(0, 12, 4)]


def test_two_hundred_files_are_two_hundred_lines() -> None:
    lines = on_a_terminal(80, [[f"photo_{number}.jpg", "Birman", 0.5] for number in range(200)])
    assert len(lines) == 201


def test_where_no_table_fits_each_row_is_a_block() -> None:
    lines = on_a_terminal(24, [["a.jpg", "a breed of cats", 0.5], ["b.jpg", "pug", 0.25]])
    assert lines == [
        "file   a.jpg",
        "breed  a breed of cats",
        "score  0.5",
        "",
        "file   b.jpg",
        "breed  pug",
        "score  0.25",
    ]


def test_wide_letters_keep_the_columns_of_a_pipe_in_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("file", "breed"), [["猫.jpg", "pug"], ["cat.jpg", "Birman"]])
    assert capsys.readouterr().out.splitlines() == ["file     breed", "猫.jpg   pug", "cat.jpg  Birman"]


def test_a_name_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("file", "times"), [["a\x1b[31m\nb.jpg", 1]])
    show_pairs([("file", "c\rd")])
    assert capsys.readouterr().out.splitlines() == [
        "file              times",
        "a\\x1b[31m\\nb.jpg      1",
        "file  c\\rd",
    ]


def test_a_table_without_rows_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("run",), [], empty="There are no runs yet.")
    assert capsys.readouterr().out == "There are no runs yet.\n"
