"""What following a job shows: a live line and a growing table on a terminal, plain lines elsewhere, or JSON lines."""

import json
import sys
import textwrap
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from time import monotonic
from typing import Protocol, Self

import click

from cli.client import Json
from cli.epochs import WHOLE, Layout, layout_for
from cli.events import Listener
from cli.live_line import LiveLine, can_redraw, columns, has_colours
from cli.pace import Pace
from cli.progress_line import Look, fitted, position, progress_line, rate, time_left, without_time
from cli.saying import plain, plain_json, say
from cli.tables import short_time
from cli.waiting import waiting_line, waiting_words
from pedigree.events import Event
from store.states import FINAL, State

BARS = "━─"
WAITING = {"queued": "queued, waiting for a worker", "running": "starting", "cancelling": "cancelling"}
TRYING = "the service does not answer; trying again for up to {:.0f} s"
BACK = "the service answers again"


class View(Listener, AbstractContextManager["View"], Protocol):
    """Shows what it hears within its block."""

    def end(self, job: Json) -> None:
        """Show the job that has ended."""


def view_for(job: int, *, as_json: bool) -> View:
    """The view for whoever reads: a script, a person at a terminal, or a file."""
    if as_json:
        return JsonLines(job)
    return Terminal() if can_redraw(sys.stdout) else Lines()


class JsonLines:
    """One event a line, and the job last; nothing else on stdout."""

    def __init__(self, job: int) -> None:
        """Each line names the job."""
        self.job = job

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Each line is out already."""

    def show(self, event: Event) -> None:
        """Every event, batches too."""
        number = int(event.id) if event.id else None
        _say_json({"job": self.job, "id": number, "event": event.name, "data": event.data})

    def away(self, seconds: float) -> None:
        """For people, on stderr."""
        say(TRYING.format(seconds), err=True)

    def back(self) -> None:
        """For people, on stderr."""
        say(BACK, err=True)

    def end(self, job: Json) -> None:
        """The service's own JSON of it."""
        _say_json(job)


class _ForPeople(ABC):
    """Hears the events that people want to hear of; batches are too many for them."""

    is_cancelling = False

    def show(self, event: Event) -> None:
        """One event, to what shows its kind."""
        if event.name == "progress":
            self._progress(without_time(event.data) if self.is_cancelling else event.data)
        elif event.name == "epoch":
            self._epoch(event.data)
        elif event.name == "log":
            self._say(said(event.data))
        elif event.name == "trial":
            self._say(trial_words(event.data))
        elif event.name == "waiting":
            self._waiting(event.data)
        elif event.name == "state":
            self.is_cancelling = event.data["state"] == State.CANCELLING
            self._state(event.data)

    @abstractmethod
    def _progress(self, data: Json) -> None: ...

    @abstractmethod
    def _epoch(self, data: Json) -> None: ...

    @abstractmethod
    def _say(self, text: str) -> None: ...

    @abstractmethod
    def _waiting(self, data: Json) -> None: ...

    @abstractmethod
    def _state(self, data: Json) -> None: ...


class Lines(_ForPeople):
    """Each line stays: a stage when it is first reached, then the position now and then."""

    def __init__(self) -> None:
        """Nothing is said before the first event."""
        self.pace = Pace()
        self.stages: set[str] = set()
        self.last = ""
        self.has_header = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Each line is out already."""

    def away(self, seconds: float) -> None:
        """On stderr: it is not of the job."""
        say(TRYING.format(seconds), err=True)

    def back(self) -> None:
        """On stderr, as what it answers."""
        say(BACK, err=True)

    def end(self, job: Json) -> None:
        """Its last state has been said."""

    def _progress(self, data: Json) -> None:
        stage = str(data.get("stage") or "")
        self._now_and_then(stage, "  ".join(filter(None, (stage, position(data), time_left(data), rate(data)))))

    def _say(self, text: str) -> None:
        say(text)

    def _waiting(self, data: Json) -> None:
        self._now_and_then("waiting", waiting_words({"waiting": data}))

    def _state(self, data: Json) -> None:
        self.stages.clear()
        say(state_of(data))

    def _now_and_then(self, stage: str, line: str) -> None:
        """A stage that comes back, as train after validate, is no news of its own."""
        if line != self.last and (stage not in self.stages or self.pace.is_due()):
            self.stages.add(stage)
            self.last = line
            self.pace.said()
            say(line)

    def _epoch(self, data: Json) -> None:
        if not self.has_header:
            say(WHOLE.header())
            self.has_header = True
        say(WHOLE.row(data))


class Terminal(_ForPeople):
    """One live line for where the job stands; above it stay the table of epochs and what the job says."""

    def __init__(self) -> None:
        """The live line says that nothing is known yet."""
        unicode = _can_encode(BARS, sys.stdout.encoding)
        self.look = Look(unicode=unicode, colours=has_colours())
        self.line = LiveLine(sys.stdout, self._now)
        self.waits_for, self.since = "asking the service", monotonic()
        self.progress: Json | None = None
        self.waiting: Json | None = None
        self.away_until: float | None = None
        self.layout: Layout | None = None

    def __enter__(self) -> Self:
        self.line.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self.line.__exit__(*ended)

    def away(self, seconds: float) -> None:
        """In the live line, counting down."""
        self.away_until = monotonic() + seconds

    def back(self) -> None:
        """The live line is the job's again."""
        self.away_until = None

    def end(self, job: Json) -> None:
        """Its last state stands above the live line already."""

    def _now(self, width: int) -> str:
        # Read once: the thread that draws is another one than the one that hears.
        away_until, progress, waiting = self.away_until, self.progress, self.waiting
        if away_until is not None:
            return fitted(TRYING.format(max(away_until - monotonic(), 0.0)), width)
        if progress is not None and progress.get("steps"):
            return progress_line(progress, width, self.look)
        if progress is None and waiting is not None:
            return waiting_line(waiting, width, monotonic() - self.since)
        what = self.waits_for if progress is None else str(progress.get("stage") or "")
        return fitted(f"{plain(what)}  {short_time(monotonic() - self.since)}", width)

    def _progress(self, data: Json) -> None:
        if self.progress is None or self.progress.get("stage") != data.get("stage"):
            self.since = monotonic()
        self.progress = data

    def _waiting(self, data: Json) -> None:
        self.waiting = data

    def _state(self, data: Json) -> None:
        state = str(data["state"])
        self.progress, self.waiting, self.since = None, None, monotonic()
        self.waits_for = WAITING.get(state, state)
        if state in FINAL or data.get("attempt", 0) > 1:
            self._say(state_of(data))

    def _epoch(self, data: Json) -> None:
        """A row; with the names above it where they are not there yet, or other columns fit than before."""
        layout = layout_for(columns(sys.stdout))
        row = layout.row(data)
        if layout != self.layout:
            self.layout = layout
            header = layout.header()
            row = f"{click.style(header, bold=True) if self.look.colours else header}\n{row}"
        self.line.print(row)

    def _say(self, text: str) -> None:
        width = columns(sys.stdout)
        lines = [part for line in text.split("\n") for part in textwrap.wrap(line, width, subsequent_indent="  ")]
        self.line.print("\n".join(lines))


def said(log: Json) -> str:
    """What a job says to people."""
    return "\n".join(map(plain, str(log.get("message", "")).splitlines()))


def trial_words(data: Json) -> str:
    """What became of a trial of a search, or what it tries."""
    settings = ", ".join(f"{name} {json.dumps(value)}" for name, value in data["settings"].items())
    value = "" if data["value"] is None else f" {data['value']:.4g}"
    run = "" if data["run"] is None else f" (run {data['run']})"
    return plain(f"trial {data['trial']}{run}: {data['outcome'] or 'begins'}{value}; {settings}")


def state_of(data: Json) -> str:
    """A state, with the attempt where it is not the first."""
    return f"{data['state']} (attempt {data['attempt']})" if data.get("attempt", 0) > 1 else str(data["state"])


def _say_json(line: Json) -> None:
    click.echo(plain_json(json.dumps(line, ensure_ascii=False)))


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
