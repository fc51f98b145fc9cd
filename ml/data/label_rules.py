r"""Which regular expressions may read labels: Python's engine backtracks, and a hostile pattern never ends.

While it runs nothing else does, so that not even a signal could stop it. What counts is in how many ways a pattern can
be laid over a file name of 255 characters, for a name that fails in the end is tried in each of them:

- k repetitions without a bound, and the start, cut the name at k + 1 places: C(255 + k + 1, k + 1) ways; with ``^`` at
  the front only C(255 + k, k);
- ``?`` and ``{a,b}`` multiply that by their choices, alternatives add up;
- a test without width (``$``, ``\b``) is made in each of these ways.

A repeated group may hold no repetition, which alone rules out what grows exponentially.
"""

import math
import re
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

NAME_CHARS = 255
"""The longest name that a file can have, and the longest path that a rule over paths is tried on."""
MAX_WAYS = 1 << 26
"""About a second on the longest name that fails."""
HINT = r"Begin it with ^, bound its repetitions as in \d{1,4}, or start from (.+)_\d+.jpg$, which is usual."
_FORMS = (
    "Of what begins with (? only (?:…), (?P<name>…) and, at the front, (?i) are known; it ignores case. In place of a "
    "look-ahead write what follows itself; in place of other flags, letters as in [jJ][pP][gG]."
)
_IGNORE_CASE = "(?i)"

_TOKEN = re.compile(
    r"""
    (?P<escape>\\[\s\S]) | (?P<set>\[\^?\]?(?:\\[\s\S]|[^\]\\])*\])
    | (?P<open>\((?:\?:|\?P<[^\W\d]\w*>|(?!\?))) | (?P<special>\(\?) | (?P<close>\)) | (?P<either>\|)
    | (?P<repeat>(?:[*+?]|\{\d*,?\d*\})[?+]?) | (?P<other>[\s\S])
    """,
    re.VERBOSE,
)
_WIDTHLESS = {"^", "$", r"\A", r"\Z", r"\b", r"\B"}


class _Ways(NamedTuple):
    """Of a part of a pattern: repetitions without a bound, choices, tests without width, whether anything repeats."""

    unbounded: int = 0
    choices: int = 1
    tests: int = 0
    repeats: bool = False

    def then(self, other: "_Ways") -> "_Ways":
        unbounded, tests = self.unbounded + other.unbounded, self.tests + other.tests
        return _Ways(unbounded, self.choices * other.choices, tests, self.repeats or other.repeats)

    def either(self, other: "_Ways") -> "_Ways":
        unbounded, tests = max(self.unbounded, other.unbounded), self.tests + other.tests
        return _Ways(unbounded, self.choices + other.choices, tests, self.repeats or other.repeats)


_NOTHING = _Ways()


@dataclass
class _Group:
    """A group that is being read: its finished alternatives, and of the one at hand all but the last part, and that."""

    finished: list[_Ways] = field(default_factory=list)
    before: _Ways = _NOTHING
    last: _Ways = _NOTHING

    def add(self, part: _Ways) -> None:
        self.before, self.last = self.before.then(self.last), part

    def end_alternative(self) -> None:
        self.finished.append(self.before.then(self.last))
        self.before = self.last = _NOTHING

    def close(self) -> _Ways:
        self.end_alternative()
        return reduce(_Ways.either, self.finished)


class RuleRefused(ValueError):
    """A label rule that is not run: the rest of a sentence about it, and in ``hint`` what to write instead."""

    def __init__(self, message: str, hint: str = HINT) -> None:
        super().__init__(message)
        self.hint = hint


def check_regex(regex: str) -> None:
    """Refuse a label rule that could take too long on a file name, or that cannot be judged.

    Whether it compiles is not looked at. Only who runs a rule needs this; a manifest's own has been run already.

    Raises:
        RuleRefused: with the rest of a sentence about it.
    """
    regex = regex.removeprefix(_IGNORE_CASE)
    tokens = [(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(regex)]
    ways, alternatives = _read(tokens)
    anchored = alternatives == 1 and bool(tokens) and tokens[0][1] in {"^", r"\A"}
    cuts = ways.unbounded + (not anchored)
    total = math.comb(NAME_CHARS + cuts, cuts) * ways.choices * max(ways.tests, 1)
    if total > MAX_WAYS:
        message = f"could be tried in {_short(total)} ways on one file name, the most is {_short(MAX_WAYS)}"
        raise RuleRefused(message)


def _read(tokens: list[tuple[str, str]]) -> tuple[_Ways, int]:
    """Count a pattern's ways, and its alternatives at the top."""
    groups, previous = [_Group()], ""
    for kind, text in tokens:
        if kind == "special":
            message = "uses a flag, a look-ahead or a look-behind, (?…), which is not known"
            raise RuleRefused(message, _FORMS)
        if kind == "escape" and text[1] in "123456789":
            message = "refers back to a group, which is not accepted"
            raise RuleRefused(message)
        if kind == "open":
            groups.append(_Group())
        elif kind == "close" and len(groups) > 1:
            closed = groups.pop().close()
            groups[-1].add(closed)
        elif kind == "either":
            groups[-1].end_alternative()
        elif kind == "repeat":
            groups[-1].last = _repeated(groups[-1].last, text, group=previous == "close")
        else:
            groups[-1].add(_Ways(tests=int(text in _WIDTHLESS)))
        previous = kind
    whole = groups[0].close()
    return whole, len(groups[0].finished)


def _repeated(part: _Ways, text: str, *, group: bool) -> _Ways:
    least, most = _bounds(text)
    if least > NAME_CHARS:
        message = f"repeats ({text}) more often than a file name has characters ({NAME_CHARS})"
        raise RuleRefused(message)
    endless = most is None or most - least >= NAME_CHARS
    if (part.repeats and most != 1) or (endless and part.choices > 1):
        message = f"repeats ({text}) a group that itself repeats or chooses, which could run without end"
        raise RuleRefused(message)
    # Of a group even the empty content is gone through as often as it must.
    tests = part.tests * max(least, 1) + (least if group else 0)
    if most is None or endless:
        return _Ways(part.unbounded + 1, 1, tests, repeats=True)
    if most == 1:
        return _Ways(part.unbounded, part.choices + (least == 0), tests, repeats=True)
    choices = sum(part.choices**times for times in range(least, most + 1))
    return _Ways(part.unbounded, choices, tests, repeats=True)


def _bounds(text: str) -> tuple[int, int | None]:
    """How often a repetition repeats: at least, and at most (None: without a bound)."""
    if text[0] != "{":
        return int(text[0] == "+"), 1 if text[0] == "?" else None
    least, comma, most = text.rstrip("?+")[1:-1].partition(",")
    if not comma:
        return int(least or 0), int(least or 0)
    return int(least or 0), int(most) if most else None


def _short(count: int) -> str:
    # A count of ways may be too large for a float.
    return f"{count:,}" if count < 10**12 else f"about 10^{len(str(count)) - 1}"
