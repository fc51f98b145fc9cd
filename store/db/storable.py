"""What Postgres' JSON cannot hold, made holdable."""

import math
from typing import Any


def storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same JSON value with null for NaN and ±infinity and without NUL characters, neither of which jsonb takes."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {storable(key): storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable(part) for part in value]
    return value
