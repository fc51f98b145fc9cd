"""Every field of a configuration in plain figures, read out of the models that check it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

GROUPS: dict[str, tuple[str, ...]] = {
    "Training": ("recipe", "epochs", "freeze_epochs", "freeze", "phases"),
    "Learning rate": ("base_lr", "lr_max", "lr_mult", "layer_decay"),
    "Network": ("arch", "pretrained", "loss", "weight_decay"),
    "Photos": ("presize", "size", "train_size", "min_scale"),
    "Changes of photos": ("augment", "trivial_augment", "mixup", "cutmix", "erase"),
    "Regularisation": ("label_smoothing", "weight_averaging", "patience"),
    "Rare breeds": ("balance_loss", "balance_sampling"),
    "Split": ("split", "valid_pct", "split_seed"),
    "Search for a rate": ("lr_sweep",),
    "Machine": ("batch_size", "precision", "seed"),
    "Answers": ("tta", "dataset", "model"),
}
"""In the order in which people are asked; a field that has fields of its own takes them with it."""

_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
_PLACE = {name: place for place, name in enumerate(_GROUP_OF)}
_TYPES = {"boolean": "switch", "integer": "whole number", "number": "number", "string": "text", "array": "list"}
_MOST_SHOWN = 2**53
"""A bound beyond this is the number format's, not one that people meet."""


@dataclass(frozen=True)
class ConfigField:
    """One field. ``name`` has dots where fields are nested, and ``[]`` after a list's name.

    ``least`` and ``most`` are bounds; ``above`` and ``below`` are those that a value may not reach itself.
    """

    name: str
    meaning: str
    type: str
    group: str
    default: Any
    is_required: bool
    choices: tuple[str, ...] | None
    words: tuple[str, ...]
    """Texts that are taken in place of a number."""
    pair: bool
    """Two numbers are taken in place of one."""
    unit: str | None
    least: float | None
    most: float | None
    above: float | None
    below: float | None


def in_order(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration in the order in which people are asked; Postgres keeps the keys of JSON by their length."""
    return dict(sorted(config.items(), key=lambda item: (_PLACE.get(item[0], len(_PLACE)), item[0])))


def fields_of(model: type[BaseModel], *, leave_out: Collection[str] = ()) -> list[ConfigField]:
    """The fields of a configuration, with those below them, as ``--set`` names them.

    Raises:
        KeyError: a field is in none of ``GROUPS``.
    """
    schema = model.model_json_schema(by_alias=True)
    schema["properties"] = {name: part for name, part in schema["properties"].items() if name not in leave_out}
    return list(_fields(schema, schema.get("$defs", {}), "", None, {}))


def _fields(
    schema: dict[str, Any], models: dict[str, Any], above: str, group: str | None, defaults: dict[str, Any]
) -> Iterator[ConfigField]:
    required = schema.get("required", [])
    for name, part in schema["properties"].items():
        default = defaults.get(name, part.get("default"))
        within = group or _GROUP_OF[name]
        below = _model_of(part, models)
        if below is None or part.get("type") == "array":
            yield _field(f"{above}{name}", part, within, default, is_required=name in required)
        if below is not None:
            dots = "[]." if part.get("type") == "array" else "."
            given = default if isinstance(default, dict) else {}
            yield from _fields(below, models, f"{above}{name}{dots}", within, given)


def _model_of(part: dict[str, Any], models: dict[str, Any]) -> dict[str, Any] | None:
    reference = part.get("$ref") or part.get("items", {}).get("$ref")
    return None if reference is None else models[reference.rpartition("/")[2]]


def _field(name: str, part: dict[str, Any], group: str, default: object, *, is_required: bool) -> ConfigField:
    members = part.get("anyOf", [part])
    number = next((one for one in members if one.get("type") in {"number", "integer"}), part)
    words = tuple(one["const"] for one in members if "const" in one and len(members) > 1)
    choices = part.get("enum") or ([part["const"]] if "const" in part else None)
    first = next((one for one in members if "type" in one), part)
    return ConfigField(
        name=name,
        meaning=part.get("description", ""),
        type="choice" if choices else _TYPES[first["type"]],
        group=group,
        default=default,
        is_required=is_required,
        choices=tuple(choices) if choices else None,
        words=words,
        pair=any(one.get("type") == "array" for one in members) and len(members) > 1,
        unit=part.get("unit"),
        least=_bound(number.get("minimum")),
        most=_bound(number.get("maximum")),
        above=_bound(number.get("exclusiveMinimum")),
        below=_bound(number.get("exclusiveMaximum")),
    )


def _bound(value: float | None) -> float | None:
    return None if value is None or (isinstance(value, int) and value > _MOST_SHOWN) else value
