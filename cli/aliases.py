"""``pedigree models alias``, ``rollback``, ``moves`` and ``canary``: which version answers for a name."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from cli import completion
from cli.client import Client, Json, json_of, path_part
from cli.errors import CommandError, Interrupted
from cli.options import json_option, with_client
from cli.patience import patiently
from cli.saying import say
from cli.tables import show_json, show_table
from cli.times import local_time
from cli.watch import command

PRODUCTION = "production"
SAID = {
    "pointed": "pointed at version",
    "promoted": "its canary promoted, version",
    "rolled_back": "rolled back to version",
    "removed": "removed",
}


@click.command("alias")
@click.argument("name", shell_complete=completion.aliases)
@click.argument("version", type=int, required=False, shell_complete=completion.versions)
@click.option("--drop", is_flag=True, help="Forget the alias; the version stays.")
@json_option
@with_client
def point(client: Client, name: str, version: int | None, drop: bool, as_json: bool) -> None:
    """Point alias NAME at VERSION."""
    if drop == (version is not None):
        raise CommandError("Give a version to point the alias at, or --drop.")
    if drop:
        client.call("DELETE", path_of(name))
        _tell({"alias": name, "version": None}, f"{name} is not an alias any more", as_json=as_json)
    else:
        with moving(name):
            now = json_of(client.call("PUT", path_of(name), json={"version": version}))
        _tell(now, f"{name} is version {version}", as_json=as_json)


@click.command("rollback")
@click.argument("name", default=PRODUCTION, shell_complete=completion.aliases)
@json_option
@with_client
def roll_back(client: Client, name: str, as_json: bool) -> None:
    """Point alias NAME (production) at the version before; again, one further back."""
    with moving(name):
        now = json_of(client.call("POST", f"{path_of(name)}/rollback"))
    _tell(now, f"{name} is version {now['version']} again{_further(now)}", as_json=as_json)


@click.command("moves")
@click.argument("name", default=PRODUCTION, shell_complete=completion.aliases)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def list_moves(client: Client, name: str, limit: int, as_json: bool) -> None:
    """List what alias NAME (production) pointed at, newest first."""
    found = client.items(f"{path_of(name)}/moves", limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [[local_time(one["at"]), f"{SAID[one['how']]} {one['version'] or ''}".strip()] for one in found]
    show_table(("when", "what"), rows, empty=f"{name} was never moved.")


@click.command("canary")
@click.argument("name", shell_complete=completion.aliases)
@click.argument("version", type=int, required=False, shell_complete=completion.versions)
@click.option("--share", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Of the requests, 0 to 1.")
@click.option("--promote", is_flag=True, help="Point the alias at its canary.")
@click.option("--cancel", is_flag=True, help="End the canary; the alias's version answers all requests.")
@json_option
@with_client
def canary(
    client: Client, name: str, version: int | None, *, share: float, promote: bool, cancel: bool, as_json: bool
) -> None:
    """Let VERSION answer a share of the requests of alias NAME, or end that."""
    if [version is not None, promote, cancel].count(True) != 1:
        raise CommandError("Give a version, --promote or --cancel.")
    if promote:
        with moving(name):
            now = json_of(client.call("POST", f"{path_of(name)}/canary/promote"))
        _tell(now, f"{name} is version {now['version']}{_further(now)}", as_json=as_json)
    elif cancel:
        client.call("DELETE", f"{path_of(name)}/canary")
        _tell({"alias": name, "canary": None}, f"{name} has no canary any more", as_json=as_json)
    else:
        standing = json_of(client.call("GET", path_of(name)))["version"]
        wish = {"version": standing, "canary": {"version": version, "share": share}}
        with moving(name):
            now = json_of(client.call("PUT", path_of(name), json=wish))
        said = f"version {version} answers {share:.1%} of the requests of {name}, version {standing} the others"
        _tell(now, said, as_json=as_json)


@contextmanager
def moving(name: str, what: str = "the service loads the model") -> Iterator[None]:
    """Around a request that has an alias moved, once the service is ready for it: ``what`` is said while it takes long.

    Raises:
        Interrupted: the user broke it off.
    """
    try:
        with patiently(lambda: what):
            yield
    except KeyboardInterrupt:
        shows = f"{command('models', 'list')} shows what {name} stands for now"
        raise Interrupted(f"Broken off before the service had answered; {shows}.") from None


def names_of(version: Json) -> str:
    """The aliases of a version in a list, those too that it is the canary of."""
    return ", ".join([*version["aliases"], *(f"{one} (canary)" for one in version.get("canary_of", ()))])


def path_of(alias: str) -> str:
    """Where an alias is asked for."""
    return f"/models/aliases/{path_part(alias)}"


def _tell(now: Json, sentence: str, *, as_json: bool) -> None:
    show_json(now) if as_json else say(sentence)


def _further(now: Json) -> str:
    return f"; a rollback leads to version {now['before']}" if now["before"] is not None else ""
