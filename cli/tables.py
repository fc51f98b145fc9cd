"""Tables and figures for people: drawn on a terminal, plain columns elsewhere."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table


def on_terminal() -> bool:
    """Whether a person reads along."""
    return sys.stdout.isatty()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under column names. A column of numbers is aligned right."""
    cells = [[_text(cell) for cell in row] for row in rows]
    numeric = [bool(rows) and all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(columns))]
    if on_terminal():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, is_number in zip(columns, numeric, strict=True):
            table.add_column(name, justify="right" if is_number else "left")
        for row in cells:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]
    for row in [list(columns), *cells]:
        padded = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numeric, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def show_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names with their values, one a line; a value that is None is left out."""
    known = [(name, value) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        click.echo(f"{name.ljust(width)}  {_text(value)}")


def show_json(answer: Any) -> None:  # noqa: ANN401  # JSON
    """Print JSON for a script."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


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
    return f"{value:.4g}" if isinstance(value, float) else str(value)
