"""One file read on the service's own way, and what came of it."""

import os
import random
import shutil
import stat
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.mutations.archives import damaged_archive
from benchmarks.mutations.entries import OUTSIDE
from benchmarks.mutations.measured import Measured
from benchmarks.mutations.pictures import damaged_picture
from ml.cache_names import UNPACKING
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.images import Limits, view
from ml.decode.views import View
from ml.errors import LearningError
from ml.unpack.archive import extract_archive
from ml.unpack.listing import list_archive

What = Literal["picture", "archive"]
CENTRE = View("squares", size=128, positions=(0.5,))
"""What a model of that size is given in POST /predict."""
LIST_SECONDS = 5.0
"""As a trial of label rules has (``api.datasets.trials``)."""
_RULES = (LabelRule(), LabelRule(kind="folder"), LabelRule(kind="csv"))


@dataclass(frozen=True)
class Trial:
    """A file by its seed and number, and what became of it.

    ``verdict`` is ``read``, the code of a refusal, or ``crashed``; then ``said`` tells how.
    """

    what: What
    seed: int
    number: int
    kind: str
    form: str
    verdict: str
    seconds: float
    mib: float
    said: str = ""


def drawn(what: What, seed: int, number: int, originals: dict[str, list[bytes]]) -> tuple[str, str, bytes]:
    """What was done, the format, and the bytes; the same numbers and originals give the same."""
    chance = random.Random(f"{seed}-{what}-{number}")  # noqa: S311 - no secret
    return (damaged_picture if what == "picture" else damaged_archive)(chance, originals)


def tried(what: What, seed: int, number: int, originals: dict[str, list[bytes]], folder: Path) -> Trial:
    """Read one file; the folder is empty before and after."""
    kind, form, data = drawn(what, seed, number, originals)
    rule = _RULES[number % len(_RULES)]
    (folder / "archive").write_bytes(data)
    verdict, said = "read", ""
    with Measured() as measured:
        try:
            if what == "picture":
                view(data, Limits(), CENTRE)
            else:
                _import(folder, rule)
        except LearningError as error:
            verdict = error.code
        except BaseException:  # noqa: BLE001 - this is what is looked for
            verdict, said = "crashed", traceback.format_exc()
    if found := _left(folder):
        verdict, said = "crashed", f"left behind or outside: {found}"
    shutil.rmtree(folder)
    folder.mkdir()
    return Trial(what, seed, number, kind, form, verdict, measured.seconds, measured.mib, said)


def _import(folder: Path, rule: LabelRule) -> None:
    """What an upload goes through: its names are listed for a trial of label rules, then a worker takes it in."""
    archive, content = folder / "archive", folder / "content"
    list_archive(archive, seconds=LIST_SECONDS)
    extract_archive(archive, content)
    scan_folder(content, rule, name="pets")


def _left(folder: Path) -> list[str]:
    """Files where none may be: outside, of no plain kind, half unpacked."""
    found = [OUTSIDE] if os.path.lexists(OUTSIDE) else []
    found += [path.name for path in folder.iterdir() if path.name not in {"archive", "content"}]
    found += [path.name for path in folder.parent.iterdir() if path.name.startswith(("outside", UNPACKING))]
    for place, folders, files in os.walk(folder / "content"):
        odd = [name for name in (*folders, *files) if _is_odd(Path(place) / name)]
        found += [str(Path(place) / name) for name in odd]
    return found


def _is_odd(path: Path) -> bool:
    mode = path.lstat().st_mode
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
