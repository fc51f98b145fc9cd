"""Which label rules and encodings a caller may ask for; what makes a regex dangerous is told in ml.data.label_rules."""

import re

from api.schemas.datasets import ArchiveForm
from ml.data.label_choice import ChoiceRefused, choose_rule
from ml.data.label_rules import HINT, RuleRefused
from ml.data.label_rules import check_regex as check_ways
from ml.data.manifest import LabelRule
from ml.unpack.entry_names import ENCODING_HINT, known_encoding
from store.errors import InvalidRequest

MAX_CHARS = 200


def label_rule(fields: ArchiveForm, *, beside: bool) -> LabelRule:
    """The rule that a form asks for; ``beside`` says that a list of labels came with it.

    Raises:
        InvalidRequest: its fields exclude each other, or the regex is not accepted.
    """
    if fields.regex is not None:
        check_regex(fields.regex)
    try:
        return choose_rule(
            label_from=fields.label_from,
            regex=fields.regex,
            by_folder=fields.by_folder,
            beside=beside,
            merge=fields.merge_labels,
        )
    except ChoiceRefused as error:
        raise InvalidRequest(str(error), error.hint) from None


def encoding_of(fields: ArchiveForm) -> str | None:
    """The encoding that a form names, by Python's name of it.

    Raises:
        InvalidRequest: it is none that names are written in.
    """
    if fields.encoding is None:
        return None
    try:
        return known_encoding(fields.encoding)
    except ValueError as error:
        raise InvalidRequest(f"encoding {fields.encoding!r} {error}", ENCODING_HINT) from None


def check_regex(regex: str) -> None:
    """Accept a label rule: it compiles, has exactly one group, and its running time is bounded.

    Raises:
        InvalidRequest: it is none of these; the detail says which.
    """
    if len(regex) > MAX_CHARS or "\x00" in regex:
        raise InvalidRequest(f"regex has {len(regex)} characters, the most is {MAX_CHARS}, none of them NUL", HINT)
    try:
        check_ways(regex)
    except RuleRefused as error:
        raise InvalidRequest(f"regex {regex!r} {error}", error.hint) from None
    try:
        groups = re.compile(regex).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidRequest(f"regex {regex!r} is not a regular expression: {error}", HINT) from None
    if groups != 1:
        raise InvalidRequest(f"regex {regex!r} has {groups} groups, not the one that is the label", HINT)
