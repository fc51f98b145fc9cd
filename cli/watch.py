"""Following a job to its end, and what is said where the following ends before the job does."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import click
from click.core import ParameterSource

from cli.client import Client, GaveUp, Json
from cli.errors import CommandError, Interrupted
from cli.events import follow
from cli.problems import with_options
from cli.watch_views import view_for
from store.states import State

SERVICE_OPTIONS = ("url", "data")


class JobFailed(CommandError):
    """The job that was watched did not succeed."""


def watch(client: Client, job: int, *, as_json: bool = False, then: str = "") -> Json:
    """Show a job until it has ended and return it; with ``as_json``, print it too, as the last line.

    ``then`` is what is to be done with a job that goes on alone, when it has ended.

    Raises:
        JobFailed: it failed or was cancelled.
        Interrupted: the user left it to itself.
        GaveUp: the service stayed away.
    """
    view = view_for(job, as_json=as_json)
    try:
        with view:
            ended = follow(client, job, view)
    except KeyboardInterrupt:
        rejoin, cancel = command("jobs", "watch", job), command("jobs", "cancel", job)
        after = f", {then} at its end" if then else ""
        raise Interrupted(f"Job {job} goes on: {rejoin} follows it again{after}, {cancel} stops it.") from None
    except GaveUp as gave_up:
        hint = f"When it answers, {command('jobs', 'watch', job)} follows job {job} again."
        raise GaveUp(gave_up.detail, hint) from None
    view.end(ended)
    if ended["state"] != "succeeded":
        reason = ended.get("error") or {}
        how = "was cancelled" if ended["state"] == State.CANCELLED else ended["state"]
        why = f": {reason['detail'].removesuffix('.')}" if reason else ""
        raise JobFailed(f"Job {job} {how}{why}.", reason.get("hint") and with_options(reason))
    return ended


@contextmanager
def queueing() -> Iterator[None]:
    """Around a request that queues a job: one that is broken off may have queued it all the same.

    Raises:
        Interrupted: the user broke it off.
    """
    try:
        yield
    except KeyboardInterrupt:
        detail = "Broken off before the service had answered; the job may have been queued all the same:"
        raise Interrupted(f"{detail} {command('jobs', 'list')} shows it.") from None


def command(*words: str | int) -> str:
    """A command to be run next, in back quotes, which names the service as the command at work does."""
    context = click.get_current_context(silent=True)
    named = [] if context is None else _service_of(context)
    return f"`{shlex.join(['pedigree', *map(str, words), *named])}`"


def _service_of(context: click.Context) -> Iterator[str]:
    for option in SERVICE_OPTIONS:
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            yield from (f"--{option}", str(context.params[option]))
