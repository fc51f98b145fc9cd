"""One fault of each kind, drawn by a seed, against a whole service; `make test-faults` does many more."""

import random
from pathlib import Path

import pytest

from tests.faults.fault import Fault, faults_of
from tests.faults.rounds import disturbed, prepare
from tests.faults.tally import Tally
from tests.faults.world import world

SEED = 4


def one_of_each_kind(faults: list[Fault], chance: random.Random) -> list[Fault]:
    kinds = list(dict.fromkeys(fault.kind for fault in faults))
    drawn = [chance.choice([fault for fault in faults if fault.kind == kind]) for kind in kinds]
    return chance.sample(drawn, len(drawn))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_fault_of_each_kind_loses_doubles_and_stops_nothing(tmp_path: Path) -> None:
    chance, tally = random.Random(SEED), Tally()  # noqa: S311 - no secret
    with world(tmp_path, "s3") as made:
        ground = prepare(made)
        findings = disturbed(
            made, ground, "quick", one_of_each_kind(faults_of("s3"), chance), chance, tally, quick=True
        )
    assert findings == [], tally.table()
    assert len(tally.counts) >= 8, "most had something to be done to"
