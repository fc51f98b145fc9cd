"""Checkpoints: everything a bit-equal resume needs in one safetensors file, written whole or not at all."""

import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ml.config import ResolvedConfig
from ml.disk import says_disk_full
from ml.errors import CheckpointInvalid, DiskFull

FORMAT_VERSION = 2


class CheckpointKeeper(Protocol):
    """Where checkpoints outlive the process."""

    def load(self) -> Path | None:
        """The last kept checkpoint as a local file, or None."""

    def keep(self, path: Path) -> None:
        """Make this checkpoint the last one; when it returns, the old one is no longer needed."""


@dataclass(frozen=True)
class LocalKeeper:
    """Keeps the checkpoint where training wrote it."""

    folder: Path

    def load(self) -> Path | None:
        """The file, where there is one."""
        path = self.folder / "checkpoint.safetensors"
        return path if path.exists() else None

    def keep(self, path: Path) -> None:
        """Move the file into the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path.replace(self.folder / "checkpoint.safetensors")


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where training stands: ``step`` counts finished steps over all phases; then the running average and fp16's scale.

    ``rate`` is what the last search for a learning rate found, None where there was none. ``accumulation`` is how many
    parts a batch is trained in; where it is more than one, from step ``halved_from`` on. ``skipped`` are the fp16 steps
    of the epoch that changed nothing. The last two have defaults for checkpoints that were written without them.
    """

    step: int
    smooth_value: float
    smooth_count: int
    loss_scale: float
    good_steps: int
    rate: float | None
    accumulation: int
    halved_from: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A read checkpoint."""

    position: Position
    model: dict[str, Tensor]
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
    optimizer: dict[str, Tensor],
    config: ResolvedConfig,
    revision: str,
) -> None:
    """Write the state after ``position.step`` finished steps."""
    tensors = {f"model/{n}": t for n, t in model.items()} | {f"optimizer/{n}": t for n, t in optimizer.items()}
    about = {
        "format_version": str(FORMAT_VERSION),
        "torch": torch.__version__,
        "position": json.dumps(asdict(position)),
        "config": config.model_dump_json(),
        "revision": revision,
    }
    save_tensors(tensors, path, about)


def read_checkpoint(path: Path, *, config: ResolvedConfig, revision: str) -> Checkpoint:
    """Read a checkpoint of this very config and dataset.

    Raises:
        CheckpointInvalid: unreadable, of another format version, config or dataset revision.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about: dict[str, str] = json.loads((file.metadata() or {}).get("about", "{}"))
            _check_about(about, config, revision)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a dict
    except (SafetensorError, OSError) as error:
        raise CheckpointInvalid(f"the checkpoint cannot be read: {error}", hint="Start a new job.") from error
    return Checkpoint(
        position=Position(**json.loads(about["position"])),
        model={n.removeprefix("model/"): t for n, t in tensors.items() if n.startswith("model/")},
        optimizer={n.removeprefix("optimizer/"): t for n, t in tensors.items() if n.startswith("optimizer/")},
    )


def _check_about(about: dict[str, str], config: ResolvedConfig, revision: str) -> None:
    if about.get("format_version") != str(FORMAT_VERSION):
        detail = f"the checkpoint has format version {about.get('format_version')}, this program reads {FORMAT_VERSION}"
        raise CheckpointInvalid(detail, hint="Start a new job.")
    if about.get("revision") != revision or about.get("config") != config.model_dump_json():
        raise CheckpointInvalid("the checkpoint is of another config or dataset", hint="Start a new job.")
