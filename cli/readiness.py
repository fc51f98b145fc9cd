"""Whether a service that answers can also work."""

from pedigree.errors import PedigreeError
from pedigree.wire import Wire, json_of

SECONDS = 30.0
"""A model in production is loaded before the answer comes."""


def unready_parts(url: str) -> dict[str, str]:
    """What GET /readyz names as not ready, by part; a model is no part of a start: it comes of the first training."""
    try:
        with Wire(url, timeout=SECONDS) as wire:
            answer = json_of(wire.answer("GET", "/readyz"))
    except PedigreeError:
        return {"readiness": f"{url}/readyz does not answer"}
    return {name: state for name, state in answer.get("parts", {}).items() if state != "ok" and name != "model"}


def is_open(url: str) -> bool:
    """Whether the service asks nobody for a key."""
    try:
        with Wire(url, timeout=SECONDS) as wire:
            return bool(json_of(wire.ask("GET", "/session"))["is_open"])
    except PedigreeError:
        return False
