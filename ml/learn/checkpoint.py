"""Checkpoints: everything a bit-equal resume needs in one safetensors file, written whole or not at all."""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ml.config import ResolvedConfig
from ml.disk import says_disk_full
from ml.errors import CheckpointInvalid, DiskFull

FORMAT_VERSION = 4
"""4 has the state of torch's AdamW and GradScaler. No older one is used: 3 has another optimizer's, 2 no checksum."""

_CHECKSUM = "sha256"

Fetch = Callable[[], Path]
"""Brings a kept checkpoint; raises ``CheckpointInvalid`` where it is not there any more."""


class CheckpointKeeper(Protocol):
    """Where the last two good checkpoints outlive the process."""

    def kept(self) -> Iterator[Fetch]:
        """The kept checkpoints, newest first.

        Whoever can use one asks for no further one: those that were passed over are bad, and make room for others.
        """

    def keep(self, path: Path, step: int) -> None:
        """Make this checkpoint, after so many steps, the newest; the good one before it stays beside it."""


@dataclass
class LocalKeeper:
    """Keeps two checkpoints in a folder, the newest by moving it there."""

    folder: Path
    _good: Path | None = field(default=None, init=False)

    @property
    def _newest(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    @property
    def _before(self) -> Path:
        return self.folder / "checkpoint-before.safetensors"

    def kept(self) -> Iterator[Fetch]:
        """Newest first; a newest one that is missing is named where there is one before it."""
        both = (self._newest, self._before)
        there = [path for path in both if path.exists()]
        for path in both[: both.index(there[-1]) + 1] if there else ():
            self._good = path
            yield partial(_existing, path)
        self._good = None

    def keep(self, path: Path, step: int) -> None:  # noqa: ARG002 - what is kept elsewhere is named by it
        """Move the file into the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._good == self._newest:
            self._newest.replace(self._before)
        path.replace(self._newest)
        self._good = self._newest


def _existing(path: Path) -> Path:
    if not path.exists():
        raise CheckpointInvalid(f"the checkpoint {path.name} is missing")
    return path


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where training stands: ``step`` counts finished steps over all phases; then the running average and fp16's scale.

    ``scaler`` is what the gradients' scaler says of itself, empty but in fp16. ``rate`` is what the last search for a
    learning rate found, None where there was none. ``accumulation`` is how many parts a batch is trained in; where it
    is more than one, from step ``halved_from`` on. ``skipped`` are the fp16 steps that changed nothing, of the phase's
    finished epochs. ``best_loss`` is the phase's lowest validation loss, ``since_best`` epochs ago; None: nobody keeps
    it. ``left_out`` counts the epochs of phases that ended early. ``ranks`` is how many processes trained together.
    """

    step: int
    smooth_value: float
    smooth_count: int
    scaler: dict[str, float]
    rate: float | None
    accumulation: int
    halved_from: int
    skipped: int
    best_loss: float | None = None
    since_best: int = 0
    left_out: int = 0
    ranks: int = 1


@dataclass(frozen=True)
class Checkpoint:
    """A read checkpoint; ``average`` is empty where no mean of the weights is kept, ``best`` where no best epoch is."""

    position: Position
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]


def save_tensors(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    """Write safetensors atomically: a temporary file beside it, then a rename.

    safetensors writes its metadata's entries in random order; as a single entry they leave equal files for equal runs.

    Raises:
        DiskFull: there is no room for it; what was written of it is gone, and an earlier file stands.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    whole = {n: t.detach().cpu().contiguous() for n, t in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.touch()
        # safetensors makes a file that its owner alone may read; this one is to be as those beside it are.
        mode = stat.S_IMODE(scratch.stat().st_mode)
        save_file(whole, scratch, metadata={"about": json.dumps(about)})
        scratch.chmod(mode)
        scratch.replace(path)
    except (SafetensorError, OSError) as error:
        if not says_disk_full(error):
            raise
        raise _disk_full(path, sum(t.nbytes for t in whole.values())) from error
    finally:
        scratch.unlink(missing_ok=True)


def _disk_full(path: Path, needed: int) -> DiskFull:
    detail = f"the disk has no room for {path.name}, which needs {needed / 2**20:.0f} MiB"
    return DiskFull(detail, hint="Free space on the disk that it is written to.")


def write_checkpoint(
    path: Path,
    *,
    position: Position,
    model: dict[str, Tensor],
    average: dict[str, Tensor],
    best: dict[str, Tensor],
    optimizer: dict[str, Tensor],
    config: ResolvedConfig,
    revision: str,
) -> None:
    """Write the state after ``position.step`` finished steps; ``average`` and ``best`` may be empty."""
    parts = {"model": model, "average": average, "best": best, "optimizer": optimizer}
    tensors = {f"{part}/{n}": t.detach().cpu().contiguous() for part, named in parts.items() for n, t in named.items()}
    about = {
        "format_version": str(FORMAT_VERSION),
        "torch": torch.__version__,
        "position": json.dumps(asdict(position)),
        "config": config.model_dump_json(),
        "revision": revision,
    }
    save_tensors(tensors, path, {**about, _CHECKSUM: _checksum(about, tensors)})


def read_checkpoint(path: Path, *, config: ResolvedConfig, revision: str) -> Checkpoint:
    """Read a checkpoint of this very config and dataset.

    Raises:
        CheckpointInvalid: damaged, of another format version, config or dataset revision.
    """
    about, tensors = _read(path)
    _check_about(about, config, revision)
    _check_sum(about, tensors)
    return Checkpoint(
        position=Position(**json.loads(about["position"])),
        model=part_of(tensors, "model/"),
        average=part_of(tensors, "average/"),
        best=part_of(tensors, "best/"),
        optimizer=part_of(tensors, "optimizer/"),
    )


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointInvalid(f"the checkpoint cannot be read: {error}") from error
    if not isinstance(about, dict):
        raise CheckpointInvalid("the checkpoint cannot be read: it does not say what it is of")
    return about, tensors


def _checksum(about: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """sha256 (hex) over everything that a resume goes by: what is said of the state, and each tensor as it is read."""
    digest = sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_sum(about: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    covered = {name: said for name, said in about.items() if name != _CHECKSUM}
    if about.get(_CHECKSUM) != _checksum(covered, tensors):
        raise CheckpointInvalid("the checkpoint is damaged: its content does not match its checksum")


def _check_about(about: dict[str, Any], config: ResolvedConfig, revision: str) -> None:
    if about.get("format_version") != str(FORMAT_VERSION):
        detail = f"the checkpoint has format version {about.get('format_version')}, this program reads {FORMAT_VERSION}"
        raise CheckpointInvalid(detail)
    if about.get("revision") != revision or not _is_of(about.get("config"), config):
        raise CheckpointInvalid("the checkpoint is of another config or dataset")


def _is_of(written: object, config: ResolvedConfig) -> bool:
    """Whether a checkpoint's config is this one; a setting that the program before did not have is at its default."""
    try:
        return ResolvedConfig.model_validate_json(str(written)) == config
    except ValidationError:
        return False
