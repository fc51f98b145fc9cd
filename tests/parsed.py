"""Python's sources as trees."""

import ast
import gc
from collections.abc import Iterable
from pathlib import Path


def parsed(paths: Iterable[Path]) -> list[tuple[Path, ast.Module]]:
    """Each file with its tree.

    The collector does not come meanwhile, and later passes these trees by: it would look at their million nodes again
    and again, and none of them is in a cycle.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
