"""How soon and how fast pictures are decoded, by this checkout and by another in the same run.

``python -m benchmarks.decoding --other CHECKOUT``: latency of what serving does to decode at 1 and at 8 clients, and
pictures a second of an import's scan, each by turns, so that whatever else the machine does falls on both.
"""

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

PHOTO = (500, 375)
"""Pixels of the pet set's photos, about."""
PHOTOS = 300
CLIENTS = (1, 8)
TURNS = 5
_WORK = """
import io, json, statistics, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ml.decode.images import Limits, view
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.views import View
import torch  # as serving has it: memory is given out otherwise, which a decoder feels

folder, clients = Path(sys.argv[1]), json.loads(sys.argv[2])
square = View("squares", 460, (0.5,))
found = {}
for form in sorted({path.suffix for path in folder.rglob("*.*")}):
    files = [path.read_bytes() for path in sorted(folder.rglob(f"*{form}"))]

    def timed(data):
        before = time.perf_counter()
        view(data, Limits(), square)
        return time.perf_counter() - before

    timed(files[0])
    for count in clients:
        with ThreadPoolExecutor(min(4, count)) as pool:
            before = time.perf_counter()
            each = sorted(pool.map(timed, files))
            took = time.perf_counter() - before
        found[f"{form} {count} clients, ms in the median"] = 1000 * statistics.median(each)
        found[f"{form} {count} clients, pictures a second"] = len(files) / took
before = time.perf_counter()
count = len(scan_folder(folder, LabelRule(kind="folder"), name="pets").items)
found["import, pictures a second"] = count / (time.perf_counter() - before)
print(json.dumps(found))
"""


def make_photos(folder: Path, forms: list[str], count: int) -> None:
    """Photos of about the pet set's size and detail, of two breeds, in the formats."""
    chance = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(chance.integers(0, 256, (24, 32, 3), np.uint8)).resize(PHOTO, Image.Resampling.BICUBIC)
        noise = chance.normal(0, 8, (*PHOTO[::-1], 3))
        image = Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))
        for form in forms:
            data = io.BytesIO()
            image.save(data, {"jpg": "JPEG"}.get(form, form.upper()), quality=90)
            path = folder / f"{form}-{number % 2}" / f"{number}.{form}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.getvalue())


def measured(checkout: Path, folder: Path) -> dict[str, float]:
    """One turn of a checkout, by its own version of the work: modules may have other names there."""
    own_work = "from benchmarks import decoding; exec(decoding._WORK)"
    command = [sys.executable, "-c", own_work, str(folder), json.dumps(CLIENTS)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the median of each figure, and its ratio to the other checkout's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, help="another checkout of the project")
    parser.add_argument("--forms", nargs="+", default=["jpg", "png", "webp"])
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--turns", type=int, default=TURNS)
    asked = parser.parse_args()
    here = Path(__file__).parent.parent
    checkouts = [here, *([asked.other] if asked.other else [])]
    turns: dict[Path, list[dict[str, float]]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as place:
        make_photos(Path(place), asked.forms, asked.photos)
        for turn in range(asked.turns):
            for checkout in checkouts if turn % 2 else checkouts[::-1]:
                turns[checkout].append(measured(checkout, Path(place)))
    for name in turns[here][0]:
        each = [statistics.median(turn[name] for turn in turns[checkout]) for checkout in checkouts]
        compared = f"  other {each[1]:9.2f}  ratio {each[0] / each[1]:.3f}" if asked.other else ""
        print(f"{name:45} {each[0]:9.2f}{compared}")


if __name__ == "__main__":
    main()
