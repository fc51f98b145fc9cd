"""Whether one of two models is better, by the photos that only one of them gets right.

Where both are right, or both wrong, the photos say nothing of which is better. Of the others chance alone would give
each model half. McNemar's exact test (Q. McNemar, "Note on the sampling error of the difference between correlated
proportions or percentages", Psychometrika 12, 1947; as a test of two classifiers: T. Dietterich, "Approximate
statistical tests for comparing supervised classification learning algorithms", Neural Computation 10, 1998) asks how
often a fair coin would give a split as uneven as b to c: with n = b + c and k the lesser of them,

    p = min(1, 2 · Σ C(n, i) / 2ⁿ for i = 0 … k)

It takes the models as they are: that another seed would train another model is not in it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Verdict = Literal["first", "second", "chance"]

LEVEL = 0.05
"""Below it a split is said to be beyond chance: once in twenty times it is not."""
LEAST_SHOWN = 0.0001


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """How often two models were right about the same photos."""

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int

    @property
    def n(self) -> int:
        """The photos."""
        return self.both_right + self.only_first + self.only_second + self.both_wrong

    @cached_property
    def p_value(self) -> float:
        """How often chance alone splits so unevenly or more, 0 to 1."""
        return exact_p(self.only_first, self.only_second)

    @property
    def verdict(self) -> Verdict:
        """Which of them is better beyond chance."""
        if self.p_value >= LEVEL:
            return "chance"
        return "first" if self.only_first > self.only_second else "second"

    def sentence(self, first: str, second: str) -> str:
        """The verdict in words; the models are called by these names."""
        split = self.only_first + self.only_second
        if split == 0:
            return f"Nothing tells {first} and {second} apart: they are right and wrong about the same photos."
        of = f"of {_photos(split)} that only one of them got right"
        if self.verdict == "chance":
            got = f"{first} got {self.only_first} and {second} got {self.only_second}"
            return f"Neither is better beyond chance: {of}, {got}; chance alone does as much ({_p(self.p_value)})."
        names = (first, second) if self.verdict == "first" else (second, first)
        most = max(self.only_first, self.only_second)
        return f"{_begun(names[0])} is better than {names[1]} beyond chance: {of}, it got {most} ({_p(self.p_value)})."


def exact_p(b: int, c: int) -> float:
    """McNemar's p of b photos that only one and c that only the other got right; neither below 0."""
    n, k = b + c, min(b, c)
    # By logarithms: for thousands of photos 2ⁿ is beyond any float.
    whole = math.lgamma(n + 1) - n * math.log(2)
    shares = (math.exp(whole - math.lgamma(i + 1) - math.lgamma(n - i + 1)) for i in range(k + 1))
    return min(1.0, 2 * math.fsum(shares))


def _p(value: float) -> str:
    return f"p < {LEAST_SHOWN:f}".rstrip("0") if value < LEAST_SHOWN else f"p = {value:.2g}"


def _photos(count: int) -> str:
    return f"{count} photo" if count == 1 else f"{count} photos"


def _begun(name: str) -> str:
    return name[:1].upper() + name[1:]
