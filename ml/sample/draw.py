"""The drawn dataset: 37 breeds under their real names, made in seconds where no photos are at hand.

``python -m ml.sample.draw FOLDER PER_BREED SHARE SHARES`` draws every SHARES-th picture; draw_sample starts one such
process for each core, because drawing hundreds of small shapes holds the interpreter's lock.
"""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from ml.breeds import BREEDS, Breed
from ml.cores import worth_starting
from ml.errors import LearningError
from ml.sample.breeds import LOOKS
from ml.sample.pet import draw_pet
from ml.sample.scene import draw_background, place_pet, take_photo

__all__ = ["BREEDS", "draw_picture", "draw_sample"]

OnProgress = Callable[[int, int], None]
_SEED = 37
_MOST_PROCESSES = 16


def draw_sample(into: Path, *, per_breed: int = 20, on_progress: OnProgress | None = None) -> None:
    """Draw ``per_breed`` JPEGs of each breed, named ``Breed_n.jpg``, n from 1.

    The same numbers give the same pictures; with the same Pillow and NumPy, the same bytes.

    Args:
        into: the folder, made where missing.
        per_breed: pictures of each breed, at least 1.
        on_progress: called with pictures done and pictures in all.

    Raises:
        LearningError: a drawing process failed.
    """
    into.mkdir(parents=True, exist_ok=True)
    total = len(BREEDS) * per_breed
    shares = min(worth_starting(), _MOST_PROCESSES, total)
    with _drawing(into, per_breed, shares) as (processes, lines):
        for done, _ in enumerate(lines, start=1):
            if on_progress is not None:
                on_progress(done, total)
        failed = [code for process in processes if (code := process.wait())]
    if failed:
        raise LearningError(f"drawing the sample failed: a process ended with {failed[0]}", hint="Look into the log.")


def draw_picture(breed: Breed, number: int) -> bytes:
    """One JPEG, about 320 x 260 pixels; ``number`` chooses pose, place, light and all else."""
    rng = np.random.default_rng([_SEED, BREEDS.index(breed), number])
    scene = draw_background(rng)
    place_pet(scene, draw_pet(breed, rng), LOOKS[breed.name].size, rng)
    data = io.BytesIO()
    take_photo(scene, rng).save(data, "JPEG", quality=int(rng.integers(80, 93)))
    return data.getvalue()


def draw_share(into: Path, per_breed: int, share: int, shares: int) -> Iterator[Path]:
    """Draw every ``shares``-th picture, beginning with number ``share`` (from 0); yields each file when it is there."""
    jobs = [(breed, number) for breed in BREEDS for number in range(1, per_breed + 1)]
    for breed, number in jobs[share::shares]:
        path = into / f"{breed.name}_{number}.jpg"
        path.write_bytes(draw_picture(breed, number))
        yield path


@contextmanager
def _drawing(into: Path, per_breed: int, shares: int) -> Iterator[tuple[list[subprocess.Popen[bytes]], IO[bytes]]]:
    """The processes, and the lines of all of them in one pipe: a line for each picture."""
    here = str(Path(__file__).parent.parent.parent)
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    reading, writing = os.pipe()
    processes: list[subprocess.Popen[bytes]] = []
    with os.fdopen(reading, "rb") as lines:
        try:
            for share in range(shares):
                command = [sys.executable, "-m", "ml.sample.draw", str(into), str(per_breed), str(share), str(shares)]
                environment = {**os.environ, "PYTHONPATH": paths}
                processes.append(subprocess.Popen(command, stdout=writing, stdin=subprocess.DEVNULL, env=environment))  # noqa: S603 - our own interpreter, our own module
        finally:
            os.close(writing)
        try:
            yield processes, lines
        finally:
            for process in processes:
                process.kill()
                process.wait()


def main(arguments: list[str]) -> None:
    """Draw one share; write a line for each picture."""
    into, per_breed, share, shares = arguments
    for path in draw_share(Path(into), int(per_breed), int(share), int(shares)):
        sys.stdout.write(f"{path.name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
