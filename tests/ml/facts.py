"""Numbers that fastai 2.8.12 itself produced on torch 2.14.1; tolerances are the workflow specification's."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "facts"


@cache
def facts(name: str) -> dict[str, Any]:
    """The whole file of one theme."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def cases(name: str) -> list[Any]:
    """Its cases."""
    found: list[Any] = facts(name)["cases"]
    return found
