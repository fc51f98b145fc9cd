"""What came of a soak: the verdict, and its tables for the docs."""

import math
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.soak.flat import LEAST_LONG, Course
from benchmarks.soak.kills import SPARED
from benchmarks.soak.photos import Answers
from tests.faults.check import Finding

_UNITS = {"mib": "MiB", "handles": "file handles", "children": "child processes"}
_COURSE_HEAD = ("part", "figure", "lives", "longest life, min", "early", "late", "flat up to", "flat")


@dataclass(frozen=True)
class Report:
    """All that was counted."""

    asked: Mapping[str, Any]
    machine: str
    seconds: float
    """From the first job to the end of the kills."""
    seconds_to_end: float
    """From the last kill until all jobs had ended."""
    jobs: Mapping[str, int]
    """Accepted, by kind of work."""
    not_posted: int
    """Jobs for which there was no time."""
    resumed: Sequence[str]
    states: Mapping[str, int]
    """In which all jobs on record ended."""
    attempts: Mapping[int, int]
    """How many jobs had so many attempts."""
    kills: Mapping[str, int]
    ended_by_itself: Mapping[str, int]
    answers: Answers
    courses: Sequence[Course]
    findings: Sequence[Finding]
    """Of jobs, records and files, and of processes that were left."""

    def is_well(self) -> bool:
        """Whether nothing was lost, doubled, stuck or wrong, no photo failed, and all is flat."""
        return not self.failures()

    def failures(self) -> list[str]:
        """What does not hold, each in a line."""
        found = [f"{one.kind}: {one.said}" for one in self.findings]
        found += [f"a photo failed: {said}" for said in self.answers.failed]
        found += [f"a wrong answer: {said}" for said in self.answers.wrong]
        found += [f"not flat: {_course_said(one)}" for one in self.courses if not one.is_flat]
        found += [f"nobody looked at what {part} holds" for part in self.not_seen()]
        if self.not_posted:
            found.append(f"{self.not_posted} jobs were not posted: those before them took too long")
        if not self.answers.right:
            found.append("no photo was answered")
        return found

    def not_seen(self) -> list[str]:
        """The parts that are never killed and whose course is not known although the run was long enough for it."""
        if self.seconds < LEAST_LONG:
            return []
        return [part for part in SPARED if not any(one.part == part and one.lives == 1 for one in self.courses)]

    def told(self) -> dict[str, Any]:
        """As JSON."""
        answers = self.answers
        return {
            "is_well": self.is_well(),
            "failures": self.failures(),
            "asked": dict(self.asked),
            "machine": self.machine,
            "seconds": round(self.seconds, 1),
            "seconds_to_end": round(self.seconds_to_end, 1),
            "jobs": dict(self.jobs),
            "not_posted": self.not_posted,
            "states": dict(self.states),
            "attempts": dict(self.attempts),
            "resumed": dict(Counter(self.resumed)),
            "kills": dict(self.kills),
            "ended_by_itself": dict(self.ended_by_itself),
            "photos": {
                "right": answers.right,
                "wrong": len(answers.wrong),
                "failed": len(answers.failed),
                "told_to_come_again": dict(answers.again),
                "api_was_killed": answers.away,
                "p50_ms": _ms(answers.seconds, 0.5),
                "p99_ms": _ms(answers.seconds, 0.99),
                "longest_seconds_without_an_answer": round(answers.longest_gap, 1),
            },
            "courses": [{**vars(one), "most": round(one.most, 2), "is_flat": one.is_flat} for one in self.courses],
        }

    def tables(self) -> str:
        """As Markdown."""
        told = self.told()
        lost = Counter(one.kind for one in self.findings)
        facts: list[tuple[str, Any]] = [
            ("minutes with kills", f"{self.seconds / 60:.1f}"),
            ("kills", f"{sum(self.kills.values())}: {_listed(self.kills)}"),
            ("jobs accepted", f"{sum(self.jobs.values())}: {_listed(self.jobs)}"),
            ("how they ended", _listed(self.states)),
            ("attempts they took", ", ".join(f"{n}: {times} jobs" for n, times in sorted(self.attempts.items()))),
            ("failed by a fault and resumed", len(self.resumed)),
            *((kind, lost[kind]) for kind in ("lost", "doubled", "stuck", "wrong")),
            ("seconds from the last kill until all had ended", f"{self.seconds_to_end:.0f}"),
            ("photos answered as at first", self.answers.right),
            ("answered otherwise", len(self.answers.wrong)),
            ("failed", len(self.answers.failed)),
            ("told when to come again (503, 429)", f"{self.answers.again.total()}: {_listed(self.answers.again)}"),
            ("broken off because that API was killed", self.answers.away),
            ("p50 and p99, ms", f"{told['photos']['p50_ms']:.0f}, {told['photos']['p99_ms']:.0f}"),
            ("longest time without an answer, s", f"{self.answers.longest_gap:.1f}"),
        ]
        rows = [
            (
                one.part,
                _UNITS[one.figure],
                one.lives if one.lives > 1 else "1, long",
                f"{one.seconds / 60:.0f}",
                f"{one.before:.0f}",
                f"{one.after:.0f}",
                f"{one.most:.0f}",
                "yes" if one.is_flat else "**no**",
            )
            for one in self.courses
        ]
        return f"{_table(('what', 'figure'), facts)}\n\n{_table(_COURSE_HEAD, rows)}\n"


def machine() -> str:
    """This one, with its load and the versions that matter."""
    names = ("torch", "celery", "fastapi", "psycopg", "redis", "openvino")
    found = ", ".join(f"{name} {version(name)}" for name in names)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{platform.machine()}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}, {found}"


def _ms(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(1000 * ordered[math.floor(share * (len(ordered) - 1))], 1) if ordered else math.nan


def _course_said(one: Course) -> str:
    lives = f"{one.lives} lives at equal age" if one.lives > 1 else f"{one.seconds / 60:.0f} minutes"
    return f"{one.part}, {lives}: {one.before:.1f} → {one.after:.1f} {_UNITS[one.figure]}, at most {one.most:.1f}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {times}" for name, times in sorted(counts.items())) or "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
