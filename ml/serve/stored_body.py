"""A served body's OpenVINO graph beside the model's files, so that it is made once.

Making it traces the network, which leaves memory behind that nothing gives back: about 20 MB a model. Reading it leaves
none, so that models can be swapped for as long as a service lives.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ml.cache_names import GRAPH_BEGUN, graph_folder
from ml.run_files import WEIGHTS
from ml.serve.openvino_door import Core, Model, openvino

_FORMAT = 1
"""Of the graph that ``ml.serve.openvino_model`` makes."""
_FILES = ("body.xml", "body.bin")
_SUM = "sha256"


def stored_body(model: Path, side: int, make: Callable[[], Model]) -> Model:
    """The graph that ``make`` makes, read from beside the model's files where it lies there whole.

    Args:
        model: the folder with the model's files.
        side: of the input, pixels.
        make: makes it; asked where there is none, or none that is whole.
    """
    folder = graph_folder(model, _key(model, side))
    if _is_whole(folder):
        try:
            return Core().read_model(folder / _FILES[0])
        except RuntimeError:
            # Somebody puts another in its place, which is as good.
            return make()
    made = make()
    _store(made, folder)
    return made


def _key(model: Path, side: int) -> str:
    said = f"{_FORMAT} {openvino.get_version()} {side} {_hash(model / WEIGHTS)}"
    return hashlib.sha256(said.encode()).hexdigest()


def _is_whole(folder: Path) -> bool:
    try:
        return (folder / _SUM).read_text(encoding="ascii") == _sum(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _store(made: Model, folder: Path) -> None:
    """Without room for it, it is made again the next time, which costs time alone."""
    try:
        begun = Path(tempfile.mkdtemp(prefix=GRAPH_BEGUN, dir=folder.parent))
    except OSError:
        return
    try:
        openvino.save_model(made, begun / _FILES[0], compress_to_fp16=False)
        (begun / _SUM).write_text(_sum(begun), encoding="ascii")
        if not _is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
        begun.replace(folder)
    except (OSError, RuntimeError):
        # Full, or somebody else has just stored the same.
        shutil.rmtree(begun, ignore_errors=True)


def _sum(folder: Path) -> str:
    return " ".join(_hash(folder / name) for name in _FILES)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
