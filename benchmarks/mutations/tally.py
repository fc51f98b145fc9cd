"""What came of all files, as the table of docs/reliability.md."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.mutations.trial import Trial

MOST_SECONDS = 10.0
MOST_MIB = 512.0


def is_bad(trial: Trial) -> bool:
    """Whether it did what no file may do."""
    return trial.verdict == "crashed" or trial.seconds > MOST_SECONDS or trial.mib > MOST_MIB


@dataclass
class Row:
    """Of one kind: how many were read, refused with which code, crashed, and the most that one cost."""

    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    mib: float = 0.0

    def add(self, verdicts: Counter[str], seconds: float, mib: float) -> None:
        """Count what came of more files."""
        self.verdicts += verdicts
        self.seconds, self.mib = max(self.seconds, seconds), max(self.mib, mib)

    def cells(self) -> list[str]:
        """As text: times, read, refused, by code, crashed, longest seconds, most MiB."""
        refused = {code: count for code, count in self.verdicts.items() if code not in {"read", "crashed"}}
        by_code = ", ".join(f"{code} {count}" for code, count in sorted(refused.items(), key=lambda one: -one[1]))
        counts = [self.verdicts.total(), self.verdicts["read"], sum(refused.values())]
        ends = [str(self.verdicts["crashed"]), f"{self.seconds:.2f}", f"{self.mib:.0f}"]
        return [*map(str, counts), by_code, *ends]


class Tally:
    """Rows by what a file was and what was done to it."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.bad: list[Trial] = []
        self.children_mib = 0.0

    def count(self, said: Trial | float) -> None:
        """A file that was read, or at a process's end the most memory of those that decoded for it."""
        if isinstance(said, float):
            self.children_mib = max(self.children_mib, said)
            return
        name = f"{said.what}: {said.kind}"
        self.rows.setdefault(name, Row()).add(Counter([said.verdict]), said.seconds, said.mib)
        if is_bad(said):
            self.bad.append(said)

    def holds(self) -> bool:
        """Whether nothing happened that may not."""
        return not self.bad and self.children_mib <= MOST_MIB

    def told(self) -> dict[str, Any]:
        """For a file, from which :meth:`of` reads it."""
        return {
            "rows": {name: [dict(row.verdicts), row.seconds, row.mib] for name, row in self.rows.items()},
            "bad": [vars(trial) for trial in self.bad],
            "children_mib": self.children_mib,
        }

    @classmethod
    def of(cls, parts: Iterable[str]) -> "Tally":
        """Several parts, each as JSON, together."""
        whole = cls()
        for part in map(json.loads, parts):
            for name, (verdicts, seconds, mib) in part["rows"].items():
                whole.rows.setdefault(name, Row()).add(Counter(verdicts), seconds, mib)
            whole.bad += [Trial(**trial) for trial in part["bad"]]
            whole.children_mib = max(whole.children_mib, part["children_mib"])
        return whole

    def table(self) -> str:
        """In Markdown, with a row for all pictures and one for all archives."""
        lines = [_line(("what was done", *_HEAD)), _line(["---"] * (1 + len(_HEAD)))]
        for what in ("picture", "archive"):
            of_it = {name: row for name, row in self.rows.items() if name.startswith(f"{what}: ")}
            whole = Row()
            for name in sorted(of_it):
                whole.add(of_it[name].verdicts, of_it[name].seconds, of_it[name].mib)
                lines.append(_line((name, *of_it[name].cells())))
            if of_it:
                lines.append(_line((f"**all {what}s**", *whole.cells())))
        return "\n".join(lines)


_HEAD = ("times", "read", "refused", "by code", "crashed", "longest seconds", "most MiB")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
