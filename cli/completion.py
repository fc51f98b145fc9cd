"""What a shell completes: names and numbers that the service knows, asked for in a moment and without a word."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx
from click.shell_completion import CompletionItem

from cli.client import Client, Json, find_service
from cli.errors import CommandError
from ml.architectures import ARCHITECTURES

PATIENCE = httpx.Timeout(1.0)
MOST = 200


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Runs by number, newest first, each with what it is."""
    del parameter
    found = _listed(context, "/runs")
    items = [CompletionItem(str(run["id"]), help=_about_run(run)) for run in found]
    return _beginning(items, incomplete)


def jobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Jobs by number, newest first."""
    del parameter
    found = _listed(context, "/jobs")
    items = [CompletionItem(str(job["id"]), help=f"{job['kind']}, {job['state']}") for job in found]
    return _beginning(items, incomplete)


def datasets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Datasets by name."""
    del parameter
    found = _listed(context, "/datasets")
    items = [CompletionItem(one["name"], help=f"{one['items']} pictures of {one['breeds']} breeds") for one in found]
    return _beginning(items, incomplete)


def versions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Versions of the registry by number."""
    del parameter
    return _beginning(_versions(_listed(context, "/models")), incomplete)


def aliases(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Aliases of the registry, and the one that is served without asking for another."""
    del parameter
    found = _aliases(_listed(context, "/models"))
    known = {item.value for item in found}
    usual = [] if "production" in known else [CompletionItem("production")]
    return _beginning([*found, *usual], incomplete)


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What can be asked for a breed: aliases and versions."""
    del parameter
    found = _listed(context, "/models")
    return _beginning([*_aliases(found), *_versions(found)], incomplete)


def architectures(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The supported architectures; no service is needed to know them."""
    del context, parameter
    return _beginning([CompletionItem(name) for name in sorted(ARCHITECTURES)], incomplete)


def _listed(context: click.Context, path: str) -> list[Json]:
    """The newest entries of a list; none where the service cannot say."""
    try:
        with _service(context.params) as client:
            return client.items(path, limit=MOST)
    except (CommandError, OSError, LookupError, TypeError):
        # Nothing answers, the data folder cannot be read, or what answers has no lists.
        return []


@contextmanager
def _service(given: dict[str, Any]) -> Iterator[Client]:
    data = given.get("data")
    with find_service(given.get("url"), None if data is None else Path(data)) as client:
        client.http.timeout = PATIENCE
        yield client


def _beginning(items: list[CompletionItem], incomplete: str) -> list[CompletionItem]:
    return [item for item in items if str(item.value).startswith(incomplete)]


def _about_run(run: Json) -> str:
    what = run["recipe"] or run["kind"]
    parts = [run["name"], f"{what} of {run['arch']} on {run['dataset']['name']}", run["state"]]
    return ", ".join(part for part in parts if part)


def _versions(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(str(one["version"]), help=f"run {one['run']}, {one['arch']}") for one in found]


def _aliases(found: list[Json]) -> list[CompletionItem]:
    return [CompletionItem(alias, help=f"version {one['version']}") for one in found for alias in one["aliases"]]
