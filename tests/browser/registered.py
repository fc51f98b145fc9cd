"""Several versions, with one of each that can stand beside production."""

from dataclasses import dataclass
from pathlib import Path

from ml.serve.choice import Candidate, Choice
from ml.serve.way import Way
from store.db.aliases import Canary, set_alias
from store.db.choices import record_choice
from store.db.models import Run
from store.db.registry import register
from store.db.shadows import Comparisons, Example, add_comparisons
from tests.api.records import Records
from tests.browser.worlds import dataset_of

QUICK = Way("openvino", "bf16", "direct", 2)
EXACT = Way("torch", "fp32", "exact", 1)
BROKEN = Way("openvino", "fp32", "direct", 2)
MACHINE = "AMD EPYC 9B14, avx512_vnni, 2 cores, torch 2.11.0, openvino 2026.4"
CHOICE = Choice(
    QUICK,
    MACHINE,
    (
        Candidate(QUICK, 412.0, 2.6, 1.0, 0.0041, 200, passed=True),
        Candidate(EXACT, 96.0, 14.1, 1.0, 0.0, 200, passed=True),
        Candidate(BROKEN, None, None, None, None, 0, passed=False, problem="it takes no such network"),
    ),
)


@dataclass(frozen=True)
class Registered:
    """Runs by version, 1 to 4: production stands at 3 and came from 2, 4 is its canary and the shadow."""

    runs: list[Run]


def several(records: Records, folder: Path) -> Registered:
    """All of them; of the choices to run them one, of what the shadow answered 40 photos."""
    pets = dataset_of(records, folder / "pets", "pets")
    rates = (0.0812, 0.0645, 0.0571, 0.0534)
    runs = [records.served(pets, content=b"%d" % number, error_rate=rate) for number, rate in enumerate(rates)]
    with records.sessions.begin() as session:
        for run in runs:
            register(session, run.id)
    for version in (1, 2, 3):
        with records.sessions.begin() as session:
            set_alias(session, "production", version, canary=Canary(4, 0.05) if version == 3 else None)
    with records.sessions.begin() as session:
        set_alias(session, "shadow", 4)
        set_alias(session, "best", 2)
        record_choice(session, 3, MACHINE, content=CHOICE.content(), reason=None)
        add_comparisons(session, 4, 3, compared())
    return Registered(runs)


def compared() -> Comparisons:
    """Of 40 photos three have another first breed, two times the same ones."""
    found = Comparisons(dropped=2)
    for number in range(37):
        found.note(Example(f"{number:064x}", "pug", "pug", 0.01))
    for number, breed in enumerate(("pug", "pug", "Birman")):
        found.note(Example(f"{99 - number:064x}", "Abyssinian", breed, 0.4))
    return found
