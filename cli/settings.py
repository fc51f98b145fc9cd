"""``--set KEY=VALUE``: fields of a configuration on the command line."""

import json
from typing import Any

from cli.client import Json
from cli.errors import CommandError


def read_settings(settings: tuple[str, ...]) -> Json:
    """``augment.flip=false`` and the like as a configuration; a value that is no JSON is a text.

    Raises:
        CommandError: one has no ``=``, or names a field of what another sets to a value that has none.
    """
    config: Json = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise CommandError(f"--set {setting}: write it as key=value, for example --set size=160.")
        place = config
        *groups, last = key.split(".")
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise CommandError(
                    f"--set {setting}: it names a field of {group}, which is set to {json.dumps(place)}."
                )
        place[last] = value_of(text)
    return config


def value_of(text: str) -> Any:  # noqa: ANN401  # JSON
    """The JSON that a word is, or the word itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
