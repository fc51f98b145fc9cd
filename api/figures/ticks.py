"""What stands beside the ticks of an axis, the same in both renderers."""

import math

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
POWERS = range(-15, 10)
"""More powers of ten than a rate or a loss has."""

MOST_WHOLE = 7
"""Ticks that the narrowest picture has room for."""
MOST_DIGITS = 19
"""A step's number is an integer of 64 bits."""


def power_text(power: int) -> str:
    """A power of ten: -3 as 10⁻³."""
    return "10" + str(power).translate(SUPERSCRIPTS)


def whole_ticks(low: float, high: float) -> list[int]:
    """Some whole numbers of an axis: each, each second, fifth, tenth …, so that there are not too many."""
    steps = (digit * 10**power for power in range(MOST_DIGITS) for digit in (1, 2, 5))
    step = next(step for step in steps if high - low <= MOST_WHOLE * step)
    return list(range(step * math.ceil(low / step), math.floor(high) + 1, step))
