"""Records as a table: a DataFrame where pandas is installed, else the records."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel


def records_of(rows: Sequence[BaseModel]) -> list[dict[str, Any]]:
    """Each row's fields."""
    return [row.model_dump() for row in rows]


def as_table(records: list[dict[str, Any]]) -> Any:  # noqa: ANN401  # pandas may be absent
    """A ``pandas.DataFrame``, or the records as they are."""
    if "pandas" not in sys.modules and find_spec("pandas") is None:
        return records
    import pandas as pd  # noqa: PLC0415  # slow, and not everybody's

    return pd.DataFrame(records)
