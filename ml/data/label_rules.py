r"""Label rules that are regular expressions: RE2 runs them, in time linear in the name, whatever the pattern.

The syntax is RE2's, with what Python's ``re`` means by it where RE2 means something else: ``\w``, ``\d`` and ``\s`` are
those of every script, not of ASCII alone (``\w`` has combining marks too, so that a name in NFD is read as in NFC),
``\Z`` is the end, and ``{,3}`` is ``{0,3}``.
"""

import re
from functools import lru_cache

import re2

MAX_CHARS = 500
"""Of a rule."""
HINT = r"Start from (.+)_\d+.jpg$, which is usual. The syntax is RE2's: github.com/google/re2/wiki/Syntax."
_MEMORY = 1 << 20
"""Bytes of a compiled rule, which also bounds its time: the worst that fits takes about 10 ms for 255 characters."""

_WORD, _SPACE = r"\pL\pM\pN_", r"\s\pZ"
_ESCAPES = {
    "w": f"[{_WORD}]",
    "W": f"[^{_WORD}]",
    "d": r"\p{Nd}",
    "D": r"\P{Nd}",
    "s": f"[{_SPACE}]",
    "S": f"[^{_SPACE}]",
    "Z": r"\z",
}
_IN_SET = _ESCAPES | {
    "w": _WORD,
    "W": r"\pC\pS\pZ\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}",  # but for other connectors than _, of which names have none
    "s": _SPACE,
    "S": r"\pL\pM\pN\pP\pS",
}

_PART = re.compile(
    r"""
    (?P<set>\[\^?\]?(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\])
    | \\(?P<escape>[\s\S])
    | (?P<group>\(\?(?:P=|<?[=!]|[>(]|\#))
    | (?P<possessive>(?:[*+?]|\{\d*,?\d*\})\+)
    | \{(?P<most>,\d+\})
    """,
    re.VERBOSE,
)
_BESIDE = "outside the group: only what the group holds is the label."
_AHEAD = ("a look-ahead", f"Write what follows itself, {_BESIDE}")
_BEHIND = ("a look-behind", f"Write what stands before itself, {_BESIDE}")
_BOUNDARY = ("a word boundary", "Write the characters that stand there, as in (?:^|[ _-]).")
_AGAIN = ("a reference to a group", "Write the group's own pattern again.")
_INSTEAD = {
    "(?=": _AHEAD,
    "(?!": ("a look-ahead", "Write which characters may follow, as in [^-]."),
    "(?<=": _BEHIND,
    "(?<!": ("a look-behind", "Write which characters may stand before, as in [^-]."),
    "(?P=": _AGAIN,
    "(?>": ("an atomic group", "Write (?:…) instead: no rule takes long here."),
    "(?#": ("a comment", "Leave it out."),
    "(?(": ("a condition", "Write the cases with |, as in (?:…|…)."),
    r"\b": _BOUNDARY,
    r"\B": _BOUNDARY,
    r"\C": ("a byte", "Write . for a character."),
    r"\Q": ("a quotation", "Write a backslash before each special character."),
}
"""What RE2 lacks, or would mean otherwise than people expect, and what to write in its place."""


class RuleRefused(ValueError):
    """A label rule that cannot be: a sentence, in ``hint`` what to give instead, in ``field`` what part is wrong."""

    def __init__(self, message: str, hint: str, field: str = "regex") -> None:
        super().__init__(message)
        self.hint, self.field = hint, field


class RulePattern:
    """A rule that can be run. Its one group is the label."""

    def __init__(self, regex: str, *, ignore_case: bool = False) -> None:
        """Compile the rule.

        Raises:
            RuleRefused: it is none, or uses what RE2 lacks.
        """
        options = re2.Options()
        options.log_errors, options.max_mem, options.case_sensitive = False, _MEMORY, not ignore_case
        _check_text(regex)
        try:
            self._pattern = re2.compile(_PART.sub(lambda part: _in_re2(regex, part), regex), options)
        except re2.error as error:
            raise RuleRefused(f"the label rule {regex!r} is no regular expression: {_said(error)}", HINT) from None
        if self._pattern.groups != 1:
            message = f"the label rule {regex!r} has {self._pattern.groups} groups; it must have one, the label"
            raise RuleRefused(message, "Put ( ) around the label alone, and write other groups as (?:…).")

    def matches(self, text: str) -> bool:
        """Whether the rule is found anywhere in the text."""
        return self._pattern.search(text) is not None

    def label_in(self, text: str) -> str | None:
        """What the group holds where the rule is first found; None where it is not, or the group is empty."""
        found = self._pattern.search(text)
        return (found.group(1) or None) if found else None


rule_pattern = lru_cache(maxsize=32)(RulePattern)
"""The same, compiled once."""


def _check_text(regex: str) -> None:
    if len(regex) > MAX_CHARS:
        raise RuleRefused(f"the label rule has {len(regex)} characters, the most is {MAX_CHARS}", "Shorten it.")
    if "\0" in regex or not _is_unicode(regex):
        raise RuleRefused(f"the label rule {regex!r} has a character that no name has", "Leave it out.")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _in_re2(regex: str, part: re.Match[str]) -> str:
    """A part of a rule as RE2 takes it.

    Raises:
        RuleRefused: RE2 has no such thing.
    """
    whole, escape = part[0], part["escape"]
    if part["set"]:
        return re.sub(r"\\([\s\S])", lambda inside: _IN_SET.get(inside[1], inside[0]), whole)
    if part["most"]:
        return f"{{0{part['most']}"
    known = _INSTEAD.get(whole)
    if part["possessive"]:
        known = ("a possessive repetition", "Leave the last + out: no rule takes long here.")
    if escape and escape in "123456789":
        known = _AGAIN
    if known is not None:
        what, instead = known
        raise RuleRefused(f"the label rule {regex!r} uses {whole}, {what}, which RE2 does not have", instead)
    return _ESCAPES.get(escape or "", whole)


def _said(error: Exception) -> str:
    said = error.args[0]
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
