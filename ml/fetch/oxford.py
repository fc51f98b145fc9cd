"""The Oxford-IIIT Pet dataset from where torchvision says it is published."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torchvision.datasets import OxfordIIITPet

from ml.data.cache_lock import building_alone
from ml.errors import ArchiveRejected, DownloadFailed
from ml.fetch.download import download
from ml.unpack.archive import extract_archive

OnProgress = Callable[[int, int], None]
_IMAGES = "images.tar.gz"
_WAY_ROUND = (
    "Without a network: get images.tar.gz of the Oxford-IIIT Pet dataset on another machine and add it with "
    "`pedigree datasets add oxford-iiit-pet images.tar.gz`."
)


@dataclass(frozen=True)
class PublishedFile:
    """A file's address and its MD5 (hex), as its publisher gives it."""

    url: str
    md5: str


def published_images() -> PublishedFile:
    """Address and checksum of the pictures' archive, as the installed torchvision has them."""
    for url, md5 in OxfordIIITPet._RESOURCES:  # noqa: SLF001 - torchvision shows them nowhere else
        if url.endswith(f"/{_IMAGES}"):
            return PublishedFile(url, md5)
    raise DownloadFailed("this torchvision names no address for the Oxford-IIIT Pet pictures", hint=_WAY_ROUND)


def download_pets(into: Path, *, on_progress: OnProgress | None = None, published: PublishedFile | None = None) -> Path:
    """Download, verify and unpack the pictures.

    A download that broke off goes on where it stopped; what is already unpacked is not fetched again.

    Args:
        into: the folder, made where missing.
        on_progress: called with bytes done and bytes in all (0 while unknown), of the download and then of unpacking.
        published: another address and checksum than torchvision's.

    Returns:
        The folder ``images`` inside ``into``.

    Raises:
        DownloadFailed: the host cannot be reached, or what came does not have its checksum; the hint says the way
            round.
        ArchiveRejected: the verified archive cannot be unpacked.
        DiskFull: the disk does not hold the pictures.
    """
    into.mkdir(parents=True, exist_ok=True)
    with building_alone(into / "pets.lock", on_progress, None):
        return _downloaded(into, on_progress, published)


def _downloaded(into: Path, on_progress: OnProgress | None, published: PublishedFile | None) -> Path:
    images = into / "images"
    if images.is_dir():
        return images
    archive = into / _IMAGES
    _fetch(published or published_images(), archive, on_progress)
    unpacked = into / "unpacked"
    # What a killed import left.
    if unpacked.exists():
        shutil.rmtree(unpacked)
    extract_archive(archive, unpacked, on_progress=on_progress)
    if not (unpacked / "images").is_dir():
        raise ArchiveRejected(f"{_IMAGES} holds no folder named images", hint=_WAY_ROUND)
    (unpacked / "images").replace(images)
    shutil.rmtree(unpacked)
    archive.unlink()
    return images


def _fetch(source: PublishedFile, archive: Path, on_progress: OnProgress | None) -> None:
    if archive.exists():
        return
    part = archive.with_name(f"{archive.name}.part")
    try:
        download(source.url, part, on_progress=on_progress)
    except DownloadFailed as error:
        raise DownloadFailed(error.detail, hint=f"Try again: what came is kept. {_WAY_ROUND}") from error
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    if digest != source.md5:
        part.unlink()
        detail = f"{archive.name} has MD5 {digest}, its publisher says {source.md5}, so it was thrown away"
        raise DownloadFailed(detail, hint=f"Try again, or another network. {_WAY_ROUND}")
    part.replace(archive)
