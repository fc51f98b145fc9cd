"""Images that a scan passes over, since their names or their folders' begin with a dot."""

import os
from pathlib import Path

from ml.data.suffixes import SUFFIXES

_APPLE = "._"
"""What macOS keeps beside each file; it ends like an image and is none."""


def note_of_hidden(folder: Path) -> str | None:
    """How many there are and where, a sentence; None where there are none."""
    count, first = 0, ""
    for root, _, names in os.walk(folder):
        below = Path(root).relative_to(folder)
        in_hidden = any(part.startswith(".") for part in below.parts)
        for name in names:
            if not _is_picture(name) or not (in_hidden or name.startswith(".")):
                continue
            count, first = count + 1, first or (below / name).as_posix()
    if not count:
        return None
    shown = first.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    word = "photo was" if count == 1 else "photos were"
    return f"{count} {word} passed over, since names that begin with a dot are hidden (for example {shown})"


def _is_picture(name: str) -> bool:
    # Of a name that is a suffix alone, such as `.jpg`, splitext says that it has none.
    suffix = os.path.splitext(name)[1] or name  # noqa: PTH122 - a name alone
    return not name.startswith(_APPLE) and suffix.lower() in SUFFIXES
