"""Pydantic's errors in our words: what is wrong with the field, and the one thing to change.

Pydantic's own sentence is both at once, in Python's words. Its type and its context are the contract.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Words(NamedTuple):
    """``detail`` is said of the field, ``hint`` is a sentence; both are templates over the error's context."""

    detail: str
    hint: str


_OBJECT = Words("it is not an object", "Give an object.")
_LIST = Words("it is not a list", "Give a list.")
_WHOLE = Words("it is not a whole number", "Give a whole number.")
_NUMBER = Words("it is not a number", "Give a number.")
_TRUTH = Words("it is neither true nor false", "Give true or false.")
_TIME = Words("it is not a time", "Give one as 2026-01-31T12:00:00Z.")
_WORD = Words("it is none of the words for this", "Give {expected}.")

_BY_TYPE = {
    "missing": Words("it is missing", "Add it."),
    "extra_forbidden": Words("there is no such field", "Leave it out."),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "string_type": Words("it is not a text", "Give a text."),
    "string_too_short": Words("it has fewer characters than {min_length}", "Give {min_length} or more."),
    "string_too_long": Words("it has more characters than {max_length}", "Give {max_length} or fewer."),
    "string_pattern_mismatch": Words("it does not match {pattern}", "Give a text that matches."),
    "too_short": Words("it has fewer entries than {min_length}", "Give {min_length} or more."),
    "too_long": Words("it has more entries than {max_length}", "Give {max_length} or fewer."),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": Words("it has too many digits", "Give a number of fewer digits."),
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": Words("it is not a finite number", "Give a finite number."),
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "greater_than": Words("it is not above {gt}", "Give more than {gt}."),
    "greater_than_equal": Words("it is below {ge}", "Give {ge} or more."),
    "less_than": Words("it is not below {lt}", "Give less than {lt}."),
    "less_than_equal": Words("it is above {le}", "Give {le} or less."),
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "timezone_aware": Words("it is a time without its zone", "Add Z, or an offset as +01:00."),
    "uuid_parsing": Words("it is not an id", "Give it as the service told it, 36 signs."),
    "literal_error": _WORD,
    "enum": _WORD,
    "union_tag_invalid": _WORD,
    "union_tag_not_found": Words("it is missing", "Give {expected}."),
}


def words_for(error: Mapping[str, Any]) -> Words:
    """What to say of an error: what a rule of ours says in its context, else our words for pydantic's type.

    One of a type that no request of ours has caused yet keeps pydantic's own sentence.
    """
    about = error.get("ctx", {})
    if "hint" in about:
        return Words(about["detail"], about["hint"])
    words = _BY_TYPE.get(error["type"], Words("{sentence}", "Give another value."))
    known = {**about, "sentence": error["msg"]}
    return Words(words.detail.format_map(known), words.hint.format_map(known))
