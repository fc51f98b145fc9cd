"""``pedigree limits``: what one may take of the service."""

import click

from cli.client import Client, Json
from cli.options import json_option, with_client
from cli.saying import plain
from cli.tables import in_units, show_json, show_pairs

_COUNTED_BY = {"key": "the key", "page": "the browser's session", "address": "the address"}


@click.command()
@json_option
@with_client
def limits(client: Client, as_json: bool) -> None:
    """Show what your key may take of the service, and has taken."""
    found = client.get("/limits")
    if as_json:
        show_json(found)
        return
    jobs, stored = found["jobs"], found["bytes"]
    taken = stored["datasets"] + stored["uploads"]
    show_pairs(
        [
            ("owner", plain(found["owner"])),
            ("requests", _requests(found["requests"])),
            ("jobs", f"{jobs['queued']} queued and {jobs['running']} running of {jobs['most']}"),
            ("stored", f"{in_units(taken)} of {in_units(stored['most'])}, {in_units(stored['uploads'])} of it uploads"),
        ]
    )


def _requests(requests: Json | None) -> str:
    if requests is None:
        return "not counted"
    return f"{requests['left']} of {requests['most']} a minute left, by {_COUNTED_BY[requests['counted_by']]}"
