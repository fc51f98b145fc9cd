"""What stands beside the ticks of an axis, the same in both renderers."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
POWERS = range(-15, 10)
"""More powers of ten than a rate or a loss has."""


def power_text(power: int) -> str:
    """A power of ten: -3 as 10⁻³."""
    return "10" + str(power).translate(SUPERSCRIPTS)
