"""Which regular expressions a caller may hand us; what makes one dangerous is told in ml.label_rules."""

import re

from ml.label_rules import HINT
from ml.label_rules import check_regex as check_ways
from store.errors import InvalidRequest

MAX_CHARS = 200


def check_regex(regex: str) -> None:
    """Accept a label rule: it compiles, has exactly one group, and its running time is bounded.

    Raises:
        InvalidRequest: it is none of these; the detail says which.
    """
    if len(regex) > MAX_CHARS or "\x00" in regex:
        raise InvalidRequest(f"regex has {len(regex)} characters, the most is {MAX_CHARS}, none of them NUL", HINT)
    try:
        check_ways(regex)
    except ValueError as error:
        raise InvalidRequest(f"regex {regex!r} {error}", HINT) from None
    try:
        groups = re.compile(regex).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidRequest(f"regex {regex!r} is not a regular expression: {error}", HINT) from None
    if groups != 1:
        raise InvalidRequest(f"regex {regex!r} has {groups} groups; it must have one, which is the label", HINT)
