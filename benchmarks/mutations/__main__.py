"""Pictures and archives that were changed by a seed: ``python -m benchmarks.mutations [--pictures N] [--archives N]``.

Whole files of every format (drawn; with ``--photos`` also real ones) are damaged in some thirty ways and read as the
service reads them: pictures as in POST /predict, archives as a trial of label rules and an import do. Prints what came
of them, and exits with 1 where one crashed its reader, took over 10 s or over 512 MiB. ``--only picture:17`` does that
one of the seed alone; ``--keep FOLDER`` writes there what went wrong. ``--part`` keeps the figures, ``--sum`` adds up.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import get_args

import PIL
import pillow_heif
from PIL import features

from benchmarks.mutations.originals import original_pictures
from benchmarks.mutations.owner import Originals, Task, read_by_processes
from benchmarks.mutations.tally import Tally
from benchmarks.mutations.trial import What, drawn
from ml.cores import worth_starting


def main() -> None:
    """Draw, read, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--archives", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--photos", type=Path, help="a folder of JPEGs, of which twelve are taken besides the drawn ones"
    )
    parser.add_argument("--processes", type=int, default=worth_starting())
    parser.add_argument("--only", action="append", default=[], metavar="WHAT:NUMBER", help="that file alone")
    parser.add_argument("--keep", type=Path, help="a folder for the files that went wrong; with --only for all")
    parser.add_argument("--part", type=Path, help="a file for the figures of this part")
    parser.add_argument("--sum", nargs="+", type=Path, help="print the parts in these files as one, and read nothing")
    asked = parser.parse_args()
    begun = time.monotonic()
    tally = Tally.of(path.read_text() for path in asked.sum) if asked.sum else _read(asked)
    print(tally.table())
    print(f"\nlargest decoding process that was ended: {tally.children_mib:.0f} MiB")
    print(f"{'' if asked.sum else f'seed {asked.seed}, '}{time.monotonic() - begun:.0f} s; {_machine()}")
    for trial in tally.bad:
        print(f"--seed {trial.seed} --only {trial.what}:{trial.number}: {trial}", file=sys.stderr)
    sys.exit(0 if tally.holds() else 1)


def _read(asked: argparse.Namespace) -> Tally:
    originals = original_pictures(asked.photos, asked.seed)
    tasks = _only(asked.only) or [
        *(("archive", number) for number in range(asked.archives)),
        *(("picture", number) for number in range(asked.pictures)),
    ]
    tally = Tally()
    for said in read_by_processes(tasks, seed=asked.seed, originals=originals, processes=asked.processes):
        tally.count(said)
    if asked.keep is not None:
        bad: list[Task] = [(trial.what, trial.number) for trial in tally.bad]
        _keep(asked.keep, tasks if asked.only else bad, asked.seed, originals)
    if asked.part is not None:
        asked.part.write_text(json.dumps(tally.told()))
    return tally


def _only(names: list[str]) -> list[Task]:
    found: list[Task] = []
    for name in names:
        what, _, number = name.partition(":")
        if what not in get_args(What) or not number.isdigit():
            sys.exit(f"{name!r} is not picture:NUMBER or archive:NUMBER")
        found.append(("picture" if what == "picture" else "archive", int(number)))
    return found


def _keep(folder: Path, tasks: list[Task], seed: int, originals: Originals) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for what, number in tasks:
        (folder / f"{what}-{seed}-{number}").write_bytes(drawn(what, seed, number, originals)[2])


def _machine() -> str:
    decoders = {name: features.version(name) for name in ("jpg", "webp", "avif", "jpg_2000", "libtiff")}
    versions = f"Python {platform.python_version()}, Pillow {PIL.__version__}, pillow-heif {pillow_heif.__version__}"
    told = ", ".join(f"{name} {version}" for name, version in decoders.items())
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {versions}, {told}"


if __name__ == "__main__":
    main()
