"""The ``pedigree`` command."""

import os
import sys
from io import StringIO
from typing import TextIO

import click

from cli.errors import CommandError, Interrupted, StopSignal
from cli.lazy import LazyGroup, Place
from cli.saying import say, tell
from cli.shell import OF_OTHER_PROGRAMS, drop_variables

INTERRUPTED = 130
MOST_SHOWN = 20

COMMANDS = {
    "archs": Place("cli.choices", "List the architectures that can be trained, with what each costs."),
    "backup": Place("cli.backup", "Save database and artifacts in one file while the service runs."),
    "config": Place(
        "cli.choices", "Say what can be set of a job: each FIELD with its meaning, default and range, or one alone."
    ),
    "datasets": Place("cli.datasets", "Bring photos in and look at them."),
    "demo": Place("cli.demo", "Train, examine and serve a classifier, and show each step."),
    "doctor": Place(
        "cli.doctor",
        "Show settings (without secrets), versions, device, disk and the service; exit code 1 where one is not well.",
    ),
    "jobs": Place("cli.jobs", "Look at jobs, watch, cancel and resume them; queue trainings and searches for a rate."),
    "keys": Place(
        "cli.keys",
        "Make, list and revoke the keys that requests need; the first is made on the service's own machine.",
    ),
    "limits": Place("cli.limits", "Show what your key may take of the service, and has taken."),
    "models": Place("cli.models", "Register runs to be served, and say which one is in production."),
    "predict": Place(
        "cli.models",
        "Name the breed in each picture; a folder or a dataset goes as a job.",
    ),
    "predictions": Place("cli.predictions", "Look at kept predictions, say what is right, and forget them."),
    "restore": Place("cli.backup", "Restore a backup into a new data folder, or an empty database and store."),
    "restart": Place("cli.restart", "Have a new API process take over from the one that runs; no request fails."),
    "review": Place("cli.review", "Look at labels that may be wrong, and correct them."),
    "runs": Place("cli.runs", "Look at runs: how they went and what they confuse."),
    "search": Place(
        "cli.study",
        "Search over settings: a training with each, one after the other, and the best becomes a version.",
    ),
    "train": Place("cli.jobs", "Train a classifier on a dataset, fresh or from where another run stands."),
    "up": Place("cli.up", "Start the whole service on this machine; Ctrl-C stops it."),
    "webhooks": Place(
        "cli.webhooks",
        "Have programs told when jobs end: a signed POST to hosts that PEDIGREE_WEBHOOK_HOSTS lists.",
    ),
    "weights": Place("cli.weights", "Get pretrained weights."),
}


@click.group(
    cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="pedigree", prog_name="pedigree")
def pedigree() -> None:
    """Train, examine and serve a pet-breed classifier."""


def main() -> None:
    """Run the command: 0 when done, 1 with one line when it cannot be, 2 for wrong words, 130 when interrupted."""
    drop_variables(*OF_OTHER_PROGRAMS)
    for stream in (sys.stdout, sys.stderr):
        _say_what_can_be_said(stream)
    try:
        sys.exit(pedigree.main(standalone_mode=False) or 0)
    except Interrupted as error:
        _fail(str(error), INTERRUPTED)
    except CommandError as error:
        _fail(str(error), 1)
    except click.ClickException as error:
        told = StringIO()
        error.show(told)
        say(told.getvalue().rstrip("\n"), err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt, StopSignal):
        _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone, as `head` does; nobody is left to tell
        sys.exit(0)
    except UnicodeEncodeError as error:
        broken = ascii(error.object[max(error.start - MOST_SHOWN, 0) : error.end])
        _fail(f"{broken} is no text in UTF-8, so that it cannot be sent.", 1)
    except Exception as error:  # the last resort: a command never ends in a traceback that nobody asked for
        if os.environ.get("PEDIGREE_DEBUG"):
            raise
        _fail(f"unexpected {type(error).__name__}: {error}. PEDIGREE_DEBUG=1 shows where.", 1)


def _say_what_can_be_said(stream: TextIO) -> None:
    """A terminal without UTF-8 gets a question mark for a tick, not an error."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


def _fail(sentence: str, code: int) -> None:
    tell(f"pedigree: {' '.join(sentence.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
