"""A service under random kills: ``[--minutes 60] [--jobs 200] [--kill-every 5 12] [--seed 1] --out FOLDER``.

    python -m benchmarks.soak --out FOLDER

Short jobs are posted one after the other to a world of the fault suite (two APIs, two workers that train, one for
imports, the repair process, Postgres, Redis), photos are sent all the while, and every few seconds a process that a
seed draws is killed and started again. When all jobs have ended, everything is held against what must be: nothing lost,
nothing doubled, each training bit for bit the one that nothing happened to, no file and no process too many, each
answer the first one, and memory, file handles and children of the processes flat (`flat.py` says when). Writes
``soak.json``, ``soak.md`` and ``soak.png`` to the folder. Exits with 1 where something does not hold; then the logs
stay.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from sqlalchemy import select

from api.figures.png import Painter
from benchmarks.soak.flat import courses
from benchmarks.soak.jobs import Jobs
from benchmarks.soak.kills import SPARED, Kills
from benchmarks.soak.photos import Photos
from benchmarks.soak.picture import chart_of
from benchmarks.soak.report import Report, machine
from benchmarks.soak.watch import Watch, left_over
from store.db.models import Job
from tests.faults.check import Finding, check
from tests.faults.rounds import END_SECONDS, Ground, as_finding, let_all_end, prepare
from tests.faults.work import Work
from tests.faults.world import LOOK_SECONDS, World, world

LINE_SECONDS = 10.0
"""Between two lines of progress where they do not replace one another."""
JOB_LOOK_SECONDS = 1.0
LEFT_SECONDS = 30.0
"""In which a process that lost its parent must have ended."""
MINUTE = 60.0


def main() -> None:
    """Disturb, look, write."""
    asked = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    with world(folder, "folder") as made:
        soak = Soak(made, prepare(made), asked)
        report = soak.run()
    left = [Finding("wrong", f"a process outlives its world: {said}") for said in _left_within(made, LEFT_SECONDS)]
    report = replace(report, findings=[*report.findings, *left])
    soak.write(report)
    print(report.tables())
    if not report.is_well():
        print("\n".join(report.failures()), file=sys.stderr)
        sys.exit(f"The logs are in {folder}")
    shutil.rmtree(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="with kills, at least; they go on until all jobs are posted"
    )
    parser.add_argument("--most-minutes", type=float, help="by then all jobs must be posted; half as long again")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument(
        "--kill-every", type=float, nargs=2, default=(5.0, 12.0), metavar=("LOW", "HIGH"), help="seconds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="a folder for table, figures and picture")
    asked = parser.parse_args()
    asked.most_minutes = 1.5 * asked.minutes if asked.most_minutes is None else asked.most_minutes
    low, high = asked.kill_every
    if not (0 < asked.minutes <= asked.most_minutes and asked.jobs > 0 and 0 < low <= high):
        parser.error(
            "--jobs and --minutes must be above 0, --most-minutes no fewer, --kill-every a low and a high figure"
        )
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {asked.out}: {error.strerror}")
    return asked


class Soak:
    """One run in a world that is there."""

    def __init__(self, made: World, ground: Ground, asked: argparse.Namespace) -> None:
        """``ground``: what was trained, registered and answered before."""
        self.began = time.monotonic()
        self._world, self._ground, self._asked = made, ground, asked
        self._seconds = asked.minutes * MINUTE
        self._chance = random.Random(f"soak-{asked.seed}")  # noqa: S311 - no secret
        self._kills = Kills(made, self._chance)
        self._killed_at: list[float] = []
        self._work = Work(made, "soak", look_seconds=JOB_LOOK_SECONDS)
        self._jobs = Jobs(self._work, ground.run, asked.jobs, self._seconds)
        self._photos = Photos(made, self._kills.killed_at)
        self._watch = Watch(made, self.began)
        self._machine = machine()
        self._progress = Progress()

    def run(self) -> Report:
        """All of it; parts are started from this thread, which is the main one."""
        self._photos.start()
        self._watch.start()
        try:
            seconds = self._disturb()
            self._watch.stop()
            ended = time.monotonic()
            findings = self._until_all_ended()
            to_end = time.monotonic() - ended
        finally:
            self._photos.stop()
            self._watch.stop()
            findings_of_work = [as_finding(error) for error in self._work.end()]
        self._progress.end()
        findings += findings_of_work
        findings += check(self._world, self._work, self._ground.twins)
        findings += [
            Finding("wrong", f"a process of no part: {said}") for said in _left_within(self._world, LEFT_SECONDS)
        ]
        return self._report(seconds, to_end, findings)

    def _disturb(self) -> float:
        """Kill until the time is over and all jobs are posted; the seconds that it took."""
        next_kill = self._pause()
        while (second := self._second()) < self._seconds or not self._jobs.all_posted():
            if second > self._asked.most_minutes * MINUTE:
                break
            self._jobs.post(second)
            if second >= next_kill:
                if self._kills.kill(late=second > self._seconds / 2):
                    self._killed_at.append(second)
                next_kill = self._second() + self._pause()
            self._look()
        return self._second()

    def _until_all_ended(self) -> list[Finding]:
        """No kills any more; what does not end."""
        deadline = time.monotonic() + END_SECONDS
        while not self._work.is_done():
            if time.monotonic() > deadline:
                return [
                    Finding("stuck", f"after {END_SECONDS:.0f} s {self._jobs.posted - self._work.ended()} jobs go on")
                ]
            self._look()
        return [] if let_all_end(self._world) else [Finding("stuck", "a job goes on that nobody waits for")]

    def _look(self) -> None:
        self._world.revive()
        self._progress.say(self._line())
        time.sleep(LOOK_SECONDS)

    def _line(self) -> str:
        second, answers = self._second(), self._photos.answers
        left = max(0.0, self._seconds - second) / MINUTE
        jobs = f"{self._jobs.posted} of {self._asked.jobs} jobs posted, {self._work.ended()} ended"
        photos = f"{answers.right} photos, {answers.again.total()} told to come again, {answers.away} at a killed API"
        bad = f"{len(answers.failed)} failed, {len(answers.wrong)} wrong"
        return f"{second / MINUTE:.1f} min, {left:.1f} left: {len(self._killed_at)} kills; {jobs}; {photos}, {bad}"

    def _second(self) -> float:
        return time.monotonic() - self.began

    def _pause(self) -> float:
        return self._chance.uniform(*self._asked.kill_every)

    def _report(self, seconds: float, to_end: float, findings: list[Finding]) -> Report:
        own = self._kills.ended_by_itself()
        findings += [Finding("wrong", f"{part} ended by itself") for part in SPARED if part in own]
        with self._world.sessions.begin() as session:
            states = Counter(session.scalars(select(Job.state)))
            attempts = Counter(session.scalars(select(Job.attempt)))
        return Report(
            asked={name: str(value) if name == "out" else value for name, value in vars(self._asked).items()},
            machine=f"{self._machine}; at the end {machine().split(';')[0]}",
            seconds=seconds,
            seconds_to_end=to_end,
            jobs=Counter(one.what for one in self._work.accepted),
            not_posted=self._asked.jobs - self._jobs.posted,
            resumed=self._work.resumed,
            states=states,
            attempts=attempts,
            kills=self._kills.counts,
            ended_by_itself=own,
            answers=self._photos.answers,
            courses=courses(self._watch.lives, seconds),
            findings=findings,
        )

    def write(self, report: Report) -> None:
        """Table, figures and picture."""
        out: Path = self._asked.out
        lives = [asdict(life) for life in self._watch.lives]
        (out / "soak.json").write_text(json.dumps({**report.told(), "killed_at": self._killed_at, "lives": lives}))
        (out / "soak.md").write_text(f"{report.machine}\n\n{report.tables()}\n" + "\n".join(report.failures()))
        facts = [f"{sum(report.kills.values())} kills", f"{sum(report.jobs.values())} jobs", f"seed {self._asked.seed}"]
        answered = [moment - self.began for moment in report.answers.moments]
        chart = chart_of([life for life in self._watch.lives if life.samples], answered, self._killed_at, facts)
        (out / "soak.png").write_bytes(Painter(self._world.folder).as_png(chart))


class Progress:
    """A line that says how far it is: one that replaces itself on a terminal, else one every few seconds."""

    def __init__(self) -> None:
        self._said_at = -LINE_SECONDS
        self._is_terminal = sys.stderr.isatty()

    def say(self, line: str) -> None:
        """Say it, where it is time."""
        now = time.monotonic()
        if now - self._said_at < (1.0 if self._is_terminal else LINE_SECONDS):
            return
        self._said_at = now
        before, after = ("\r\033[K", "") if self._is_terminal else ("", "\n")
        print(f"{before}{line}", end=after, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._is_terminal:
            print(file=sys.stderr)


def _left_within(made: World, seconds: float) -> list[str]:
    """The processes of no part that are there after so many seconds still."""
    deadline = time.monotonic() + seconds
    while (left := left_over(made)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return left


if __name__ == "__main__":
    main()
