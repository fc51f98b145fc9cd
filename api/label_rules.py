"""Which regular expressions a caller may hand us: Python's engine backtracks, and a hostile pattern never ends.

The accepted patterns cannot blow up exponentially: no repetition inside a repetition, no alternation inside one, no
reference back, and at most four repetitions without a small bound, so that the work on a file name of 255 characters
stays a small polynomial. The label rules of real datasets are far inside these bounds.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from store.errors import InvalidRequest

MAX_CHARS = 200
MAX_REPETITIONS = 4
SMALL_BOUND = 8

_TOKEN = re.compile(
    r"""
    (?P<escape>\\[\s\S]) | (?P<set>\[\^?\]?(?:\\[\s\S]|[^\]\\])*\])
    | (?P<open>\((?:\?:|\?P<[A-Za-z_]\w*>)?) | (?P<close>\)) | (?P<either>\|)
    | (?P<repeat>(?:[*+]|\{\d*,?\d*\})[?+]?) | (?P<maybe>\?[?+]?) | (?P<other>[\s\S])
    """,
    re.VERBOSE,
)
_HINT = r"A rule such as (.+)_\d+.jpg$ takes the label from the file name."


@dataclass
class _Group:
    repeats: bool = False
    branches: bool = False


def check_regex(regex: str) -> None:
    """Accept a label rule: it compiles, has exactly one group, and its running time is bounded.

    Raises:
        InvalidRequest: it is none of these; the detail says which.
    """
    if len(regex) > MAX_CHARS or "\x00" in regex:
        raise InvalidRequest(f"regex has {len(regex)} characters, the most is {MAX_CHARS}, none of them NUL", _HINT)
    if problem := _danger(regex):
        raise InvalidRequest(f"regex {regex!r} {problem}", _HINT)
    try:
        groups = re.compile(regex).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidRequest(f"regex {regex!r} is not a regular expression: {error}", _HINT) from None
    if groups != 1:
        raise InvalidRequest(f"regex {regex!r} has {groups} groups; it must have one, which is the label", _HINT)


def _danger(regex: str) -> str | None:
    """What makes a pattern dangerous or too clever, or None."""
    tokens = [(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(regex)]
    if any(kind == "open" and text == "(" and after[1].startswith("?") for (kind, text), after in pairwise(tokens)):
        return "uses a group of the form (?…), of which only (?:…) and (?P<name>…) are accepted"
    if any(kind == "escape" and text[1] in "123456789" for kind, text in tokens):
        return "refers back to a group, which is not accepted"
    return _dangerous_repetition(tokens)


def _dangerous_repetition(tokens: list[tuple[str, str]]) -> str | None:
    groups = [_Group()]
    closed = _Group()
    repetitions = 0
    for (before, _), (kind, text) in pairwise([("start", ""), *tokens]):
        if kind == "open":
            groups.append(_Group())
        elif kind == "close" and len(groups) > 1:
            closed = groups.pop()
            groups[-1].repeats |= closed.repeats
            groups[-1].branches |= closed.branches
        elif kind == "either":
            groups[-1].branches = True
        elif kind in {"repeat", "maybe"}:
            if before == "close" and kind == "repeat" and (closed.repeats or closed.branches):
                return f"repeats ({text}) a group that itself repeats or chooses, which could run without end"
            groups[-1].repeats |= True
            repetitions += kind == "repeat" and _is_long(text)
    if repetitions > MAX_REPETITIONS:
        return f"has {repetitions} open-ended repetitions, the most is {MAX_REPETITIONS}"
    return None


def _is_long(text: str) -> bool:
    bounds = re.findall(r"\d+", text)
    return text[0] != "{" or text.rstrip("?+")[-2] == "," or any(int(bound) > SMALL_BOUND for bound in bounds)
