"""Tables and figures for people: drawn on a terminal, plain columns elsewhere."""

import json
import sys
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import Any, Literal

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.saying import plain, plain_json, say

Pairs = list[tuple[str, object]]
_UNITS = ("MiB", "GiB", "TiB", "PiB")
GAP = 2
READABLE = 12
"""Signs in a line of a folded text; with fewer it is no longer read at a glance."""


def on_terminal() -> bool:
    """Whether a person reads along."""
    return sys.stdout.isatty()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str | None = None) -> None:
    """Print rows under column names. A column of numbers is aligned right.

    On a terminal that is too narrow texts are folded, and where not even that leaves room each row is a block of its
    own. ``empty`` is what is printed in place of a table without rows: what to do to have some.
    """
    if not rows and empty is not None:
        say(empty)
        return
    cells = [[_text(cell) for cell in row] for row in rows]
    numeric = [bool(rows) and all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(columns))]
    widths = [max(cell_len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]
    if not on_terminal():
        _show_columns(columns, cells, numeric, widths)
        return
    # rich takes any dumb terminal for one of 80 columns.
    size = get_terminal_size()
    console = Console(width=size.columns, height=size.lines)
    least = [width if is_number else min(width, READABLE) for width, is_number in zip(widths, numeric, strict=True)]
    if sum(least) + GAP * (len(least) - 1) <= console.width:
        console.print(_table(columns, cells, numeric, least))
        return
    for number, row in enumerate(cells):
        if number:
            say()
        show_pairs(list(zip(columns, row, strict=True)))


def _show_columns(
    columns: Sequence[str], cells: list[list[str]], numeric: Sequence[bool], widths: Sequence[int]
) -> None:
    for row in [list(columns), *cells]:
        padded = [
            f"{_spaces(cell, width)}{cell}" if is_number else f"{cell}{_spaces(cell, width)}"
            for cell, width, is_number in zip(row, widths, numeric, strict=True)
        ]
        say((" " * GAP).join(padded).rstrip())


def _table(columns: Sequence[str], cells: list[list[str]], numeric: Sequence[bool], least: Sequence[int]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, is_number, width in zip(columns, numeric, least, strict=True):
        justify: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(name, justify=justify, no_wrap=is_number, overflow="fold", min_width=width)
    for row in cells:
        # As texts: what stands in brackets in a name is no markup.
        table.add_row(*map(Text, row))
    return table


def _spaces(cell: str, width: int) -> str:
    return " " * (width - cell_len(cell))


def show_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names with their values, one a line; a value that is None is left out."""
    known = [(name, value) for name, value in pairs if value is not None]
    width = max((cell_len(name) for name, _ in known), default=0)
    for name, value in known:
        say(f"{name}{_spaces(name, width)}  {_text(value)}".rstrip())


def heading(text: str) -> None:
    """A line that begins a part of what is printed."""
    say(f"\n{text}")


def show_json(answer: Any) -> None:  # noqa: ANN401  # JSON
    """Print JSON for a script."""
    click.echo(plain_json(json.dumps(answer, indent=2, ensure_ascii=False)))


def in_units(count: int) -> str:
    """So many bytes: ``0.5 MiB``, ``3.2 GiB``."""
    power = min(max(2, (count.bit_length() - 1) // 10), len(_UNITS) + 1)
    return f"{count / 2 ** (10 * power):.1f} {_UNITS[power - 2]}"


def counted(count: int, one: str, many: str) -> str:
    """``1 file has``, ``2 files have``."""
    return f"{count} {one if count == 1 else many}"


def short_time(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004  # a minute
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004  # an hour
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else plain(str(value))
