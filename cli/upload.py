"""Sending a folder or an archive, which the client packs while it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.client import Client, Json, json_of, plainly
from cli.errors import Interrupted
from cli.transfer import Transfer
from cli.watch import command
from pedigree.packing import OnProgress, upload_form
from pedigree.wire import UPLOAD


@dataclass(frozen=True)
class Purpose:
    """What pictures are sent for, in the words that people read.

    ``then`` is what the service does when it has them, ``undone`` what did not happen where it has not,
    ``kind`` the kind of their job, and ``done`` what that job does.
    """

    then: str
    undone: str
    kind: str
    done: str


def send_shown(
    client: Client,
    source: Path,
    fields: Mapping[str, str],
    purpose: Purpose,
    *,
    labels: Path | None = None,
    to: str = "/datasets",
) -> Json:
    """As :func:`send_archive`, showing how far it has come.

    Raises:
        Interrupted: the user broke it off.
        CommandError: the source cannot be read or the service refuses.
    """
    with Transfer("sending", purpose.then) as show:
        try:
            return send_archive(client, source, fields, show, labels=labels, to=to)
        except KeyboardInterrupt:
            raise Interrupted(_broken_off(show, purpose)) from None


def _broken_off(sending: Transfer, purpose: Purpose) -> str:
    """What the service has of an upload that the user broke off."""
    if sending.is_done:
        jobs = command("jobs", "list", "--kind", purpose.kind)
        return f"Broken off before the service had answered; {jobs} shows whether it {purpose.done}."
    return f"Broken off while sending; {purpose.undone}. The same command starts again from the beginning."


def send_archive(
    client: Client,
    source: Path,
    fields: Mapping[str, str],
    on_progress: OnProgress,
    *,
    labels: Path | None = None,
    to: str = "/datasets",
) -> Json:
    """Post a folder (as a tar) or an archive file with the form's other fields; returns the job that it is for.

    Raises:
        CommandError: the source cannot be read or the service refuses.
    """
    with plainly():
        form = upload_form(source, fields, labels=labels, on_progress=on_progress)
    answer: Json = json_of(client.call("POST", to, content=form.body, headers=dict(form.headers), timeout=UPLOAD))
    return answer
