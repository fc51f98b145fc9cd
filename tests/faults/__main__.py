"""Faults of the whole service by a seed: ``python -m tests.faults [--minutes 90] [--seed 1]``.

Rounds of work are disturbed by faults; after each round everything must have ended, once, whole and as if nothing had
happened. The faults of a round follow from the seed and its number: ``--round 17`` does that one alone. Prints the
table for docs/reliability.md and exits with 1 where something did not hold; then the folder with all logs stays.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.fault import Fault, faults_of
from tests.faults.rounds import calm, disturbed, prepare
from tests.faults.tally import Tally
from tests.faults.world import Store, world

FAULTS_PER_ROUND = 10
STORES: tuple[Store, ...] = ("s3", "folder")


def main() -> None:
    """Disturb, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--round", type=int, help="this one alone")
    parser.add_argument("--store", choices=STORES, help="this one alone; each has its half of the minutes")
    parser.add_argument("--fault", help="faults whose names have this in them, and no other")
    parser.add_argument("--calm", type=int, default=2, help="rounds without faults, before and after")
    asked = parser.parse_args()
    tally, are_well = Tally(), True
    stores: tuple[Store, ...] = STORES if asked.store is None else (asked.store,)
    try:
        for store in stores:
            are_well &= _in_world(store, asked, asked.minutes * 60 / len(stores), tally)
    finally:
        _tell(tally, asked.seed)
    sys.exit(0 if are_well else 1)


def _tell(tally: Tally, seed: int) -> None:
    """What came of it, also where it was broken off."""
    print(tally.table())
    print(f"\n{tally.rounds} rounds, {tally.jobs} jobs, {tally.answers} answers to photos, seed {seed}")
    print(f"rate of work after against before: {tally.rate()}")
    print(f"jobs that failed by a fault and were resumed: {len(tally.resumed)}")
    for said in sorted(set(tally.resumed)):
        print(f"  {said}")


def _in_world(store: Store, asked: argparse.Namespace, seconds: float, tally: Tally) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    faults = [fault for fault in faults_of(store) if asked.fault is None or asked.fault in fault.name]
    are_well = True
    with world(folder, store) as made:
        ground = prepare(made)
        tally.before += [calm(made, ground, f"before-{number}") for number in range(asked.calm)]
        number, deadline = asked.round or 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            chance = random.Random(f"{asked.seed}-{number}")  # noqa: S311 - no secret
            drawn = _drawn(faults, chance)
            findings = disturbed(made, ground, f"{store}-{number}", drawn, chance, tally)
            for finding in findings:
                print(f"seed {asked.seed} round {number} {store}: {finding.kind}: {finding.said}", flush=True)
            are_well &= not findings
            print(f"{store} round {number}: {', '.join(one.name for one in drawn)}", file=sys.stderr, flush=True)
            if asked.round is not None or findings:
                break
            number += 1
        tally.after += [calm(made, ground, f"after-{number}") for number in range(asked.calm)] if are_well else []
    if are_well:
        shutil.rmtree(folder)
    else:
        print(f"The logs are in {folder}", file=sys.stderr)
    return are_well


def _drawn(faults: list[Fault], chance: random.Random) -> list[Fault]:
    return [chance.choice(faults) for _ in range(FAULTS_PER_ROUND)]


if __name__ == "__main__":
    main()
