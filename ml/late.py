"""The one door for what is imported late: torch and torchvision take seconds, and end in a riddle where they don't fit.

Matplotlib takes half a second, and reads at its import where it may keep its list of fonts. A command's own module is
brought in when the command is run, and what sends traces where somebody is there to take them.
What brings these in is named by a text, because an import at a file's top would come before anyone can look
whether the first two fit (``ml.versions``), and would make every process pay for them.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Generic, TypeVar, cast

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Late(Generic[Thing]):
    """Something of a module that is imported when it is asked for; its type is said where it is written down."""

    module: str
    name: str

    def get(self) -> Thing:
        """Import it now."""
        return cast("Thing", getattr(import_module(self.module), self.name))


def import_torchvision() -> None:
    """Bring torch and torchvision in.

    Raises:
        RuntimeError, ImportError, OSError: as they say it themselves where they do not fit each other.
    """
    import_module("torchvision")
