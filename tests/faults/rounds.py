"""A round: some work, some faults to it, and a look at what came of it."""

import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from sqlalchemy import func, select

from store.db.models import Job
from store.states import FINAL
from tests.faults.check import Finding, Twin, check, twin_of
from tests.faults.fault import Fault
from tests.faults.tally import Tally
from tests.faults.work import CONFIGS, PICTURES, Caller, Json, Stuck, Work
from tests.faults.world import LOOK_SECONDS, World
from tests.worker.pictures import archive, picture

WELL_SECONDS = 90.0
"""After a fault, until all is well again; then it is stuck."""
END_SECONDS = 480.0
"""After the last fault, until all work has ended; then it is stuck."""
PAUSE_SECONDS = 2.0
"""Between two faults, at most."""


@dataclass(frozen=True)
class Ground:
    """What was made before anything went wrong: a finished run in production, and what its like come to."""

    twins: Sequence[Twin]
    run: int
    answer: Json


def prepare(world: World) -> Ground:
    """Import, train each config once, register."""
    ask = Caller(world, Event())
    imported = ask("POST", "/datasets", data={"name": "pets"}, files={"archive": ("pets.zip", archive(PICTURES))})
    _until_succeeded(ask, imported.json()["id"])
    bodies = [{"kind": "train", "dataset": "pets", "config": config} for config in CONFIGS]
    jobs = [ask("POST", "/jobs", json=body).raise_for_status().json()["id"] for body in bodies]
    runs = [_until_succeeded(ask, job)["run"] for job in jobs]
    ask("POST", "/models", json={"run": runs[0], "alias": "production"}).raise_for_status()
    photo = {"content": picture("pug", 3), "headers": {"Content-Type": "image/jpeg"}}
    answer: Json = ask("POST", "/predict", **photo).raise_for_status().json()
    ask.close()
    with world.sessions.begin() as session:
        return Ground([twin_of(session, run) for run in runs], runs[0], answer)


def calm(world: World, ground: Ground, name: str) -> float:
    """The seconds that a work takes while nothing happens."""
    work, began = Work(world, name, expected=ground.answer), time.monotonic()
    work.start(trainings=2)
    work.wait(END_SECONDS, world.revive)
    took = time.monotonic() - began
    errors = work.end()
    if errors:
        sys.exit(f"work {name}, to which nothing is done, does not end well: {errors}")
    return took


def disturbed(
    world: World,
    ground: Ground,
    name: str,
    faults: Sequence[Fault],
    chance: random.Random,
    tally: Tally,
    *,
    quick: bool = False,
) -> list[Finding]:
    """The faults one after the other while there is work; what does not hold in the end."""
    work = Work(world, name, searches=int(not quick and chance.random() < 1 / 3), expected=ground.answer)
    work.start(interpret=None if quick else ground.run, trainings=1 if quick else 2)
    done, findings = [], []
    for fault in faults:
        _let_pass(world, chance.uniform(0.0, PAUSE_SECONDS))
        if not fault.do(world, chance):
            continue
        seconds = world.until_well(WELL_SECONDS)
        tally.did(fault.name, seconds)
        done.append(fault.name)
        if seconds is None:
            findings.append(Finding("stuck", f"not well again after {fault.name}"))
    if not work.wait(END_SECONDS, world.revive):
        findings.append(Finding("stuck", f"work {work.name} does not end"))
    if not let_all_end(world):
        findings.append(Finding("stuck", f"a job goes on after work {work.name} has ended"))
    findings += [as_finding(error) for error in work.end()]
    findings += check(world, work, ground.twins)
    tally.found(done, findings)
    tally.rounds, tally.jobs = tally.rounds + 1, tally.jobs + len(work.accepted)
    tally.answers, tally.resumed = tally.answers + work.answered, tally.resumed + work.resumed
    return findings


def _let_pass(world: World, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        world.revive()
        time.sleep(LOOK_SECONDS)


def let_all_end(world: World) -> bool:
    """Wait for jobs too whose acceptance nobody was told of, and for attempts that others have replaced.

    An attempt of the latter kind stores files until it learns of it: before that none of them is looked for.
    """
    open_jobs = select(func.count()).select_from(Job).where(Job.state.not_in(FINAL))
    deadline = time.monotonic() + WELL_SECONDS
    while time.monotonic() < deadline:
        with world.sessions.begin() as session:
            is_open = session.scalar(open_jobs)
        if not is_open and not world.jobs_in_hand():
            return True
        _let_pass(world, LOOK_SECONDS)
    return False


def as_finding(error: Exception) -> Finding:
    """What the end of a thread with an error says of its job."""
    return Finding("stuck" if isinstance(error, Stuck) else "lost", f"{type(error).__name__}: {error}")


def _until_succeeded(ask: Caller, job: int) -> Json:
    while (found := ask("GET", f"/jobs/{job}").json())["state"] not in FINAL:
        time.sleep(LOOK_SECONDS)
    if found["error"] is not None:
        sys.exit(f"job {job} failed before anything was done to it: {found['error']}")
    result: dict[str, Any] = found
    return result
