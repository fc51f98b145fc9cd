"""``pedigree keys``: who may use the service over a network."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cli.client import Json, find_service
from cli.errors import CommandError
from cli.lazy import Group
from cli.options import data_option, json_option
from cli.own_database import ask_database
from cli.saying import plain, say
from cli.tables import show_json, show_table
from cli.times import local_time

SCOPES = click.Choice(["predict", "train", "admin"])
EVERY_KEY = 10_000
_SPAN = re.compile(r"([1-9][0-9]{0,4})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
NONE = "No key was made yet: where the service listens on this machine alone, every user of it may use it."

url_option = click.option(
    "--url", help="Ask the service at this address, with an admin key [PEDIGREE_URL, else the database itself]."
)


class Ending(click.ParamType[datetime]):
    """``90d``, ``12h``, ``30m``, or a day."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time at which it ends."""
        text = str(value)
        now = datetime.now(UTC)
        if span := _SPAN.fullmatch(text):
            return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        try:
            day = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither a time to last, as 90d or 12h, nor a day, as 2027-01-31.", param, ctx)
        when = day if day.tzinfo is not None else day.astimezone()
        if when <= now:
            self.fail(f"{text} has passed.", param, ctx)
        return when


@click.group(cls=Group)
def keys() -> None:
    """Make, list and revoke the keys that requests need; the first is made on the service's own machine."""


@keys.command()
@click.argument("name")
@click.option("--scope", type=SCOPES, required=True, help="predict; train, with predict; admin, with both.")
@click.option("--expires", type=Ending(), help="When it ends by itself: 90d, 12h, or a day as 2027-01-31.")
@data_option
@url_option
@json_option
def create(name: str, scope: str, expires: datetime | None, data: Path | None, url: str | None, as_json: bool) -> None:
    """Make a key called NAME and show it, this once."""
    asked: Json = {"name": _checked(name), "scope": scope, "expires_at": expires and expires.isoformat()}
    made = _send(data, url, "create", asked)
    if as_json:
        show_json(made)
        return
    until = "" if made["expires_at"] is None else f", until {local_time(made['expires_at'])}"
    say(f"Key {made['id']}, {plain(name)}, may {scope}{until}. It is shown this once:", err=True)
    say(str(made["key"]))


@keys.command("list")
@data_option
@url_option
@json_option
def list_keys(data: Path | None, url: str | None, as_json: bool) -> None:
    """List keys, newest first, without their secrets."""
    found = _send(data, url, "list", {})["items"]
    if as_json:
        show_json(found)
        return
    headings = ("id", "name", "scope", "made", "by", "ends", "last used", "")
    show_table(headings, [_row(one) for one in found], empty=NONE)


@keys.command()
@click.argument("key")
@data_option
@url_option
@json_option
def revoke(key: str, data: Path | None, url: str | None, as_json: bool) -> None:
    """End KEY, by its name or id; within a second no API process takes it any more."""
    found = [one for one in _send(data, url, "list", {})["items"] if _is_it(one, key)]
    if not found:
        raise CommandError(f"No key in use is called {plain(key)}.", "`pedigree keys list` lists them.")
    gone = _send(data, url, "revoke", {"id": found[0]["id"]})
    show_json(gone) if as_json else say(f"key {gone['id']}, {plain(gone['name'])}, is revoked")


def _is_it(one: Json, key: str) -> bool:
    return one["revoked_at"] is None and key in {one["name"], str(one["id"])}


def _row(one: Json) -> list[object]:
    times = [None if one[name] is None else local_time(one[name]) for name in ("created_at", "expires_at")]
    used = "never" if one["last_used_at"] is None else local_time(one["last_used_at"])
    return [one["id"], one["name"], one["scope"], times[0], one["created_by"], times[1] or "never", used, _state(one)]


def _state(one: Json) -> str:
    if one["revoked_at"] is not None:
        return "revoked"
    ends = one["expires_at"]
    return "expired" if ends is not None and datetime.fromisoformat(ends) <= datetime.now(UTC) else ""


def _checked(name: str) -> str:
    """The name, where the service would take it.

    Raises:
        CommandError: it would not.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", name) or name == "local":
        hint = "Give letters, digits, dots, dashes, underscores and @, 64 at most; `local` is taken."
        raise CommandError(f"{plain(name[:80])} cannot be a key's name.", hint)
    return name


def _send(data: Path | None, url: str | None, act: str, asked: Json) -> Json:
    """By HTTP where a service is named, else in the database itself."""
    if not url and (data is not None or not os.environ.get("PEDIGREE_URL")):
        return ask_database(data, {"act": act, **asked}, makes=act == "create")
    with find_service(url, None) as client:
        if act == "create":
            made: Json = client.post("/keys", asked)
            return made
        if act == "list":
            return {"items": client.items("/keys", limit=EVERY_KEY)}
        gone: Json = client.call("DELETE", f"/keys/{asked['id']}").json()
        return gone
