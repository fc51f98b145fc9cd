"""Sending a folder or an archive, which the client packs while it is sent."""

from collections.abc import Mapping
from pathlib import Path

from cli.client import Client, Json, json_of, plainly
from pedigree.packing import OnProgress, upload_form
from pedigree.wire import UPLOAD


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
