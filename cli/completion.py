"""What a shell completes: names and numbers that the service knows, asked for in a moment and without a word."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.client import Client, Json, find_service
from cli.errors import CommandError
from ml.architectures import ARCHITECTURES

PATIENCE_SECONDS = 0.5
"""In all: a person has pressed a key and waits."""
MOST = 200
BUILTIN = {"sample": "drawn by the service", "oxford-iiit-pet": "downloaded by the service"}
ItemsOf = Callable[[list[Json]], list[CompletionItem]]


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Runs by number, newest first, each with what it is."""
    del parameter
    return _beginning(_listed(context, "/runs", _runs), incomplete)


def jobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Jobs by number, newest first."""
    del parameter
    return _beginning(_listed(context, "/jobs", _jobs), incomplete)


def datasets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Datasets by name."""
    del parameter
    return _beginning(_listed(context, "/datasets", _datasets), incomplete)


def new_datasets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names for a dataset that is added: what the service can make itself, and what is there for a next revision."""
    known = datasets(context, parameter, incomplete)
    names = {item.value for item in known}
    made = [CompletionItem(name, help=about) for name, about in BUILTIN.items() if name not in names]
    return [*known, *_beginning(made, incomplete)]


def predictions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Kept predictions, newest first."""
    del parameter
    return _beginning(_listed(context, "/predictions", _predictions), incomplete)


def versions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Versions of the registry by number."""
    del parameter
    return _beginning(_listed(context, "/models", _versions), incomplete)


def aliases(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Aliases of the registry, and the one that is served without asking for another."""
    del parameter
    found = _listed(context, "/models", _aliases)
    known = {item.value for item in found}
    usual = [] if "production" in known else [CompletionItem("production")]
    return _beginning([*found, *usual], incomplete)


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What can be asked for a breed: aliases and versions."""
    del parameter
    return _beginning(_listed(context, "/models", lambda found: [*_aliases(found), *_versions(found)]), incomplete)


def architectures(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The supported architectures; no service is needed to know them."""
    del context, parameter
    return _beginning([CompletionItem(name) for name in sorted(ARCHITECTURES)], incomplete)


def _listed(context: click.Context, path: str, items_of: ItemsOf) -> list[CompletionItem]:
    """The newest entries of a list; none where the service cannot say in time."""
    found: list[CompletionItem] = []
    # Beside the main thread: a service that sends a byte now and then would keep each reading alive.
    asking = Thread(target=lambda: found.extend(_asked(context, path, items_of)), daemon=True)
    asking.start()
    asking.join(PATIENCE_SECONDS)
    return [] if asking.is_alive() else found


def _asked(context: click.Context, path: str, items_of: ItemsOf) -> list[CompletionItem]:
    try:
        with _service(context.params) as client:
            return items_of(client.items(path, limit=MOST))
    except (CommandError, OSError, LookupError, TypeError):
        # Nothing answers, the data folder cannot be read, or what answers has no such lists.
        return []


@contextmanager
def _service(given: dict[str, Any]) -> Iterator[Client]:
    data = given.get("data")
    with find_service(given.get("url"), None if data is None else Path(data)) as client:
        client.wire.http.timeout = PATIENCE_SECONDS
        yield client


def _beginning(items: list[CompletionItem], incomplete: str) -> list[CompletionItem]:
    return [item for item in items if str(item.value).startswith(incomplete)]


def _runs(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(str(run["id"]), help=_about_run(run)) for run in found]


def _jobs(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(str(job["id"]), help=f"{job['kind']}, {job['state']}") for job in found]


def _datasets(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(one["name"], help=f"{one['items']} items of {one['breeds']} breeds") for one in found]


def _predictions(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(one["id"], help=f"{one['breed']} {one['probability']:.1%}") for one in found]


def _about_run(run: Json) -> str:
    what = run["recipe"] or run["kind"]
    parts = [run["name"], f"{what} of {run['arch']} on {run['dataset']['name']}", run["state"]]
    return ", ".join(part for part in parts if part)


def _versions(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(str(one["version"]), help=f"run {one['run']}, {one['arch']}") for one in found]


def _aliases(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(alias, help=f"version {one['version']}") for one in found for alias in one["aliases"]]
