"""What came of the faults, counted by name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.faults.check import Finding


@dataclass
class Count:
    """Of one fault."""

    times: int = 0
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("lost", "doubled", "stuck", "wrong"), 0))
    seconds: list[float] = field(default_factory=list)
    """From its end until all was well again."""


@dataclass
class Tally:
    """Of all faults of a session."""

    counts: dict[str, Count] = field(default_factory=dict)
    resumed: list[str] = field(default_factory=list)
    rounds: int = 0
    jobs: int = 0
    answers: int = 0
    before: list[float] = field(default_factory=list)
    """Seconds of the same work while nothing happens, before all faults."""
    after: list[float] = field(default_factory=list)

    def did(self, name: str, seconds: float | None) -> None:
        """A fault was done; seconds until all was well again, None where it never was."""
        count = self.counts.setdefault(name, Count())
        count.times += 1
        if seconds is None:
            count.found["stuck"] += 1
        else:
            count.seconds.append(seconds)

    def found(self, faults: Iterable[str], findings: Sequence[Finding]) -> None:
        """What did not hold after these faults: each of them may be to blame."""
        for name in dict.fromkeys(faults):
            for finding in findings:
                self.counts[name].found[finding.kind] += 1

    def table(self) -> str:
        """As Markdown."""
        lines = [
            "| fault | times | lost | doubled | stuck | otherwise wrong | seconds until well: median | longest |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name, count in sorted(self.counts.items()):
            lines.append(f"| {name} | {count.times} | {_findings(count)} | {_seconds(count.seconds)} |")
        whole = Count(sum(one.times for one in self.counts.values()))
        whole.seconds = [seconds for one in self.counts.values() for seconds in one.seconds]
        for kind in whole.found:
            whole.found[kind] = sum(one.found[kind] for one in self.counts.values())
        return "\n".join([*lines, f"| all | {whole.times} | {_findings(whole)} | {_seconds(whole.seconds)} |"])

    def rate(self) -> str:
        """The rate of work after all faults against before."""
        if not self.before or not self.after:
            return "not measured"
        share = median(self.before) / median(self.after)
        spread = ", ".join(f"{one:.1f}" for one in self.before), ", ".join(f"{one:.1f}" for one in self.after)
        return f"{100 * share:.0f} % ({spread[0]} s before, {spread[1]} s after)"


def _findings(count: Count) -> str:
    return " | ".join(map(str, count.found.values()))


def _seconds(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.1f} | {max(seconds):.1f}" if seconds else "– | –"
