"""``pedigree webhooks``: whom the service tells when jobs end."""

import time

import click

from cli.client import Client, Json
from cli.errors import CommandError
from cli.lazy import Group
from cli.options import KIND, json_option, with_client
from cli.patience import patiently
from cli.saying import say
from cli.tables import show_json, show_table
from cli.times import local_time

EVERY_WEBHOOK = 10_000
TEST_SECONDS = 30.0
"""A try takes 10 s at most, and begins within a second or two where a repair process runs."""
LOOK_SECONDS = 0.3
END = click.Choice(["job.succeeded", "job.failed", "job.cancelled"])
NONE = "No webhook was made yet: `pedigree webhooks add URL` makes one."
WHY = {
    "gone": "the receiver had said that it is gone (410)",
    "lost": "its last try was lost with the process that made it",
    "host_not_allowed": "PEDIGREE_WEBHOOK_HOSTS of the repair process does not list the host",
    "no_answer": "the connection ended before an answer",
    "timeout": "no answer within 10 s",
    "tls_failed": "the certificate cannot be believed, or no TLS is spoken there",
    "unreachable": "nobody listens there, or the name is not known",
}


@click.group(cls=Group)
def webhooks() -> None:
    """Have programs told when jobs end: a signed POST to hosts that PEDIGREE_WEBHOOK_HOSTS lists."""


@webhooks.command()
@click.argument("address", metavar="URL")
@click.option("--event", "events", type=END, multiple=True, help="Only these ends; repeat it for several.")
@click.option("--kind", "kinds", type=KIND, multiple=True, help="Only jobs of these kinds; repeat it for several.")
@json_option
@with_client
def add(client: Client, address: str, events: tuple[str, ...], kinds: tuple[str, ...], as_json: bool) -> None:
    """Have URL told of jobs' ends, and show the secret to check the signatures with, this once."""
    asked: Json = {"url": address, "events": list(events) or None, "kinds": list(kinds) or None}
    made = client.post("/webhooks", asked)
    if as_json:
        show_json(made)
        return
    say(f"Webhook {made['id']}. Its secret is shown this once:", err=True)
    say(str(made["secret"]))


@webhooks.command("list")
@json_option
@with_client
def list_webhooks(client: Client, as_json: bool) -> None:
    """List webhooks, newest first, without their secrets."""
    found = client.items("/webhooks", limit=EVERY_WEBHOOK)
    if as_json:
        show_json(found)
        return
    rows = [
        [
            one["id"],
            one["url"],
            ", ".join(one["events"] or ["all ends"]),
            ", ".join(one["kinds"] or ["all"]),
            one["created_by"],
            _last(one["last"]),
            "" if one["gone_at"] is None else f"gone since {local_time(one['gone_at'])}",
        ]
        for one in found
    ]
    show_table(("id", "url", "told of", "kinds of jobs", "by", "last", ""), rows, empty=NONE)


@webhooks.command()
@click.argument("webhook", type=int)
@json_option
@with_client
def remove(client: Client, webhook: int, as_json: bool) -> None:
    """Delete WEBHOOK with its secret and its deliveries, those that wait too."""
    client.call("DELETE", f"/webhooks/{webhook}")
    show_json({"id": webhook, "deleted": True}) if as_json else say(f"webhook {webhook} is deleted")


@webhooks.command()
@click.argument("webhook", type=int)
@json_option
@with_client
def test(client: Client, webhook: int, as_json: bool) -> None:
    """Send WEBHOOK a test, wait for what comes of it, and end with 1 where it was not taken."""
    sent = client.post(f"/webhooks/{webhook}/test")
    with patiently(lambda: f"webhook {webhook} is being tested"):
        ended = _ended(client, webhook, sent["id"])
    if as_json:
        show_json(ended)
    if ended["state"] != "delivered":
        raise CommandError(f"Webhook {webhook} did not take the test: {_answer(ended)}.", _hint(ended))
    if not as_json:
        say(f"webhook {webhook} took the test: {_answer(ended)}")


@webhooks.command()
@click.argument("webhook", type=int)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def deliveries(client: Client, webhook: int, limit: int, as_json: bool) -> None:
    """List what WEBHOOK was told and is to be told, newest first."""
    found = client.items(f"/webhooks/{webhook}/deliveries", limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [
        [
            local_time(one["created_at"]),
            one["event"],
            one["job"],
            one["state"],
            one["attempts"],
            one["status"] or one["error"],
            None if one["next_try_at"] is None else local_time(one["next_try_at"]),
        ]
        for one in found
    ]
    headings = ("when", "event", "job", "state", "tries", "last answer", "next try")
    show_table(headings, rows, empty=f"Webhook {webhook} was told nothing yet.")


def _last(delivery: Json | None) -> str:
    if delivery is None:
        return ""
    return f"{delivery['event']}, {delivery['state']} ({local_time(delivery['created_at'])})"


def _ended(client: Client, webhook: int, delivery: int) -> Json:
    """The delivery, once it was tried.

    Raises:
        CommandError: it waits for too long.
    """
    deadline = time.monotonic() + TEST_SECONDS
    while time.monotonic() < deadline:
        newest = client.items(f"/webhooks/{webhook}/deliveries", limit=200)
        found = [one for one in newest if one["id"] == delivery and one["state"] != "waiting"]
        if found:
            return found[0]
        time.sleep(LOOK_SECONDS)
    raise CommandError(
        f"The test of webhook {webhook} was not sent within {TEST_SECONDS:.0f} s.",
        "Look whether a repair process runs, and at `pedigree webhooks deliveries`.",
    )


def _answer(one: Json) -> str:
    return str(one["status"] or WHY.get(one["error"], one["error"]))


def _hint(one: Json) -> str:
    if one["error"] == "host_not_allowed":
        return "List it there, and start API and repair process again."
    status = one["status"]
    if status is not None and 300 <= status < 400:  # noqa: PLR2004 - redirects
        return "Redirects are not followed: make a webhook of the address that it leads to."
    return "Look at the receiver; an answer of 200 to 299 takes it."
