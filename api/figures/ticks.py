"""What stands beside the ticks of an axis, the same in both renderers."""

import math

from api.figures.chart import Axis

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
POWERS = range(-15, 10)
"""More powers of ten than a rate or a loss has."""

POWER_ROOM = 36
"""Pixels that a power of ten and the gap beside it need."""
MOST_WHOLE = 7
"""Ticks that the narrowest picture has room for."""
MOST_DIGITS = 19
"""A step's number is an integer of 64 bits."""


def power_text(power: int) -> str:
    """A power of ten: -3 as 10⁻³."""
    return "10" + str(power).translate(SUPERSCRIPTS)


def power_step(axis: Axis, room: float) -> int:
    """Of how many powers of ten one is written, so that neighbours do not touch on ``room`` pixels."""
    if axis.low is None or axis.high is None:
        return 1
    return math.ceil(POWER_ROOM * math.log10(axis.high / axis.low) / room)


def whole_ticks(low: float, high: float) -> list[int]:
    """Some whole numbers of an axis: each, each second, fifth, tenth …, so that there are not too many."""
    steps = (digit * 10**power for power in range(MOST_DIGITS) for digit in (1, 2, 5))
    step = next(step for step in steps if high - low <= MOST_WHOLE * step)
    return list(range(step * math.ceil(low / step), math.floor(high) + 1, step))
