"""Bringing a model into memory by the way that was chosen for it, or exactly where that way does not run."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from ml.serve.way import Way


class Startable(Protocol):
    """What is loaded, and has to run once before it is trusted."""

    def warm_up(self) -> None: ...
    def close(self) -> None: ...


Loaded = TypeVar("Loaded", bound=Startable)


def start(load: Callable[[Way | None], Loaded], way: Way | None, on_failure: Callable[[Exception], None]) -> Loaded:
    """Loaded and warmed up.

    Args:
        load: by a way; None: by the exact one, whose errors come through.
        way: what was measured on a machine of this kind; still, an answer matters more than its speed.
        on_failure: hears why it does not run here.
    """
    if way is not None:
        try:
            return _warmed(load(way))
        except Exception as error:  # noqa: BLE001 - engines fail as they like, and the exact way remains
            on_failure(error)
    return _warmed(load(None))


def _warmed(loaded: Loaded) -> Loaded:
    try:
        loaded.warm_up()
    except BaseException:
        # The exact one is not to come beside it.
        loaded.close()
        raise
    return loaded
