"""Tables that people open in a spreadsheet."""

import csv
import io
from collections.abc import Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula at the beginning of a cell."""


def cell(value: object) -> object:
    """A text that a spreadsheet does not run: a file may be called =cmd()."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def text_of_cell(written: str) -> str:
    """The text that ``cell`` was given, as a spreadsheet or an editor hands it back."""
    bare = written.strip()
    return bare[1:] if bare.startswith("'") and bare[1:].startswith(_FORMULA) else bare


def csv_rows(rows: Sequence[Sequence[object]]) -> str:
    """Rows as CSV; None is an empty cell."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[cell(value) for value in row] for row in rows])
    return text.getvalue()
