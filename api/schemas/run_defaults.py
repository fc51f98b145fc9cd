"""Which settings of a run are not what its recipe would have chosen by itself."""

from collections.abc import Iterator
from typing import Any

from ml.config import FineTune, LrFind, OneCycle, Probe, Training, TrainSettings, resolve

_BY_RECIPE = {
    "fine_tune": resolve(FineTune()),
    "one_cycle": resolve(OneCycle(recipe="one_cycle")),
    "probe": resolve(Probe(recipe="probe")),
}


def changed_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The dotted names of settings with another value than the default, each with that default.

    Phases that a request spells out have no default. A setting that an old record lacks is not told of.
    """
    defaults = dict(_flat(_defaults_of(config)))
    return {
        name: defaults[name] for name, value in _flat(config) if name in defaults and not _equal(value, defaults[name])
    }


def _defaults_of(config: dict[str, Any]) -> dict[str, Any]:
    recipe = config.get("recipe")
    known: TrainSettings = _BY_RECIPE.get(recipe, Training()) if recipe else LrFind()
    return known.model_dump(mode="json")


def _flat(config: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Each field with its dotted name; phases are one field, as they are many or few together."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _equal(one: object, other: object) -> bool:
    """By value: a record may say 10 where the default says 10.0."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
