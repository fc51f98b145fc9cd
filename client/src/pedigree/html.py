"""Tables and pictures as HTML for notebooks; every text is escaped."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; numbers stand right, None is empty."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def line(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def image(content: bytes, kind: str, about: str) -> str:
    """A picture inside the page."""
    source = f"data:{kind};base64,{b64encode(content).decode()}"
    return f'<img src="{source}" alt="{escape(about)}" style="max-width:160px;max-height:160px"/>'


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td style="text-align:right">{value:.4g}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td style="text-align:right">{value}</td>'
    return f"<td>{'' if value is None else escape(str(value))}</td>"
