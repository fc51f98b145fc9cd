"""Pydantic's errors of a request, told of the fields that the caller knows.

A union puts the name of its member into a field's path (``body.train.config.fine_tune.batch_size``); the caller sent
no such thing. Only the types that were asked for tell such a part from a field of the same name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Tag, ValidationError

from api.http.field_words import words_for
from ml.config import FineTune, LrFind, OneCycle, Phases, Probe

Error = Mapping[str, Any]
Location = tuple[str | int, ...]

MAX_VALUE_CHARS = 80
MAX_FIELD_CHARS = 200
MAX_DETAIL_CHARS = 400
MAX_HINT_CHARS = 1000
MAX_NAME_CHARS = 64
"""Of a field that does not exist, to look for a like one: the look takes time by the square of the length."""

MAX_LOOKED_AT = 200
"""Errors that are looked at: a small body can hold hundreds of thousands, and whoever sent it reads the first."""

LEAST_LIKENESS = 0.7
"""Of a misspelt field to a real one. At difflib's own 0.6 lr_max is taken for lr_mult, and recipe for presize."""

_RATES = ("base_lr", "lr_max")
_CONFUSED = {
    "lr_max": ("base_lr",),
    "base_lr": ("lr_max",),
    "lr": _RATES,
    "learning_rate": _RATES,
    "bs": ("batch_size",),
    "wd": ("weight_decay",),
    "model": ("arch",),
}
"""What a field goes by in another recipe or in the workflow's own library, and what it may be called here."""

_OF_RECIPES = frozenset(
    field.alias or name for recipe in (FineTune, OneCycle, Probe, Phases) for name, field in recipe.model_fields.items()
) - set(LrFind.model_fields)

_TAG_ERRORS = frozenset({"union_tag_invalid", "union_tag_not_found"})
_UNSENT = frozenset({"missing", "json_invalid"})
NOTHING = object()
"""In place of a value where none was sent: null is one."""


class BodyRefused(RequestValidationError):
    """A body that a route reads itself, refused like any other; ``kind`` is the model that it should have been."""

    def __init__(self, error: ValidationError, kind: type[BaseModel]) -> None:
        super().__init__([{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)])
        self.kind = kind


@dataclass(frozen=True)
class Fault:
    """One wrong field: its path as sent, what is wrong with it, what was sent there, the one thing to change."""

    place: Location
    detail: str
    sent: object
    hint: str

    @property
    def field(self) -> str:
        """The path, with dots."""
        return cut(".".join(str(part) for part in self.place) or "request", MAX_FIELD_CHARS)

    @property
    def value(self) -> str | None:
        """What was sent, in short; None where nothing was."""
        return None if self.sent is NOTHING else shown(self.sent)


@dataclass(frozen=True)
class Faults:
    """What to tell of a refused request; ``more``: further fields are wrong."""

    told: list[Fault]
    more: bool


def faults_of(errors: Sequence[Error], kind: object, most: int) -> Faults:
    """The errors with paths as in the body, one a field, without those that only follow from another.

    Args:
        errors: pydantic's; only the first are looked at, however many there are.
        kind: the type that the body should have been; None where it is not known.
        most: how many to tell.
    """
    located = [_located(error, kind) for error in errors[:MAX_LOOKED_AT]]
    own = _of_their_own(located)
    told = [_fault(error, kind) for error in own[:most]]
    return Faults(told, len(errors) > MAX_LOOKED_AT or len(own) > most)


def cut(text: str, length: int) -> str:
    """At most ``length`` characters of a text, with … where some are left out."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _located(error: Error, kind: object) -> Error:
    """The error with the caller's path in ``place``; one of a union's choice or of a rule is of the field it names."""
    place, inside = _walk(kind, error["loc"])
    about = error.get("ctx", {})
    if error["type"] in _TAG_ERRORS:
        # A discriminator that is a field's name takes no words of ours.
        tag = about["discriminator"].strip("'")
        names = [repr(name) for member in _members(inside) for name in _names_of(member, tag)]
        about = {"field": tag, "expected": f"{', '.join(names[:-1])} or {names[-1]}"}
    chooser = about.get("field")
    if chooser is None:
        return {**error, "place": place}
    sent = error.get("input")
    value = about.get("value", sent.get(chooser, NOTHING) if isinstance(sent, dict) else NOTHING)
    return {**error, "ctx": about, "place": (*place, chooser), "input": value}


def _walk(kind: object, location: Location) -> tuple[Location, object]:
    """The location without the names of union members, and the type that is there (None: unknown)."""
    if location[:1] != ("body",):
        return location, None
    place: list[str | int] = ["body"]
    inside = _bare(kind)
    for part in location[1:]:
        members = _members(inside)
        if len(members) > 1:
            inside = next((_bare(member) for member in members if part in _names_of(member)), None)
        else:
            place.append(part)
            inside = _bare(_part_of(members[0], part))
    return tuple(place), inside


def _bare(kind: object) -> object:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _members(kind: object) -> list[object]:
    """What a value of the type may be, beside null."""
    if get_origin(kind) in {Union, UnionType}:
        return [member for member in get_args(kind) if member is not NoneType]
    return [kind]


def _names_of(member: object, tag: str | None = None) -> Iterable[object]:
    """What pydantic may call a member of a union; ``tag`` is the field that tells members apart, where it is known."""
    if get_origin(member) is Annotated:
        return [note.tag for note in get_args(member)[1:] if isinstance(note, Tag)]
    fields = member.model_fields.items() if _is_model(member) else ()  # type: ignore[attr-defined]
    told = [field.annotation for key, field in fields if tag in {None, key}]
    return [name for annotation in told if get_origin(annotation) is Literal for name in get_args(annotation)]


def _part_of(kind: object, part: str | int) -> object:
    kind = _bare(kind)
    if _is_model(kind):
        fields = kind.model_fields.items()  # type: ignore[attr-defined]
        return next((field.annotation for name, field in fields if part == (field.alias or name)), None)
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    return get_args(kind)[0] if get_origin(kind) in {list, tuple} else None


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _of_their_own(located: Sequence[Error]) -> list[Error]:
    """The first error of each field, without that of a list which is short only because its parts are wrong."""
    first: dict[Location, Error] = {}
    for error in located:
        first.setdefault(error["place"], error)
    above = {place[:length] for place in first for length in range(len(place))}
    return [error for place, error in first.items() if error["type"] != "too_short" or place not in above]


def _fault(error: Error, kind: object) -> Fault:
    detail, hint = words_for(error)
    if error["type"] == "extra_forbidden":
        hint = _known_instead(str(error["place"][-1]), _walk(kind, error["loc"][:-1])[1])
    elif error["place"] == ("body",) and error["type"] == "missing":
        hint = "Send a body."
    sent = NOTHING if error["type"] in _UNSENT else error.get("input", NOTHING)
    return Fault(error["place"], cut(detail, MAX_DETAIL_CHARS), sent, cut(hint, MAX_HINT_CHARS))


def _known_instead(name: str, kind: object) -> str:
    """What a field that does not exist was meant to be."""
    if not _is_model(kind):
        return f"Leave {cut(name, MAX_VALUE_CHARS)} out."
    if kind is LrFind and name in _OF_RECIPES:
        return f"Leave {name} out: a search has no recipe and trains nothing."
    known = [field.alias or own for own, field in kind.model_fields.items()]  # type: ignore[attr-defined]
    meant = [other for other in _CONFUSED.get(name, ()) if other in known]
    near = meant or get_close_matches(name[:MAX_NAME_CHARS], known, n=1, cutoff=LEAST_LIKENESS)
    return f"Did you mean {near[0]}?" if near else f"The fields here are {', '.join(known)}."


def shown(value: object) -> str:
    """A value as a caller would recognise it; large ones are named by kind, so that nothing is copied whole."""
    if isinstance(value, (dict, list, tuple)):
        return f"{'object' if isinstance(value, dict) else 'list'} of {len(value)}"
    if isinstance(value, (str, bytes)):
        return cut(ascii(value[: MAX_VALUE_CHARS + 1]), MAX_VALUE_CHARS)
    if isinstance(value, int) and value.bit_length() > 4 * MAX_VALUE_CHARS:
        return f"a number of {value.bit_length()} bits"
    return cut(ascii(value), MAX_VALUE_CHARS)
