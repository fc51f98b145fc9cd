"""Watching a job: a live line on a terminal, a plain line every few seconds elsewhere."""

from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cli.client import Client, Json
from cli.errors import CommandError
from cli.events import Event, follow
from cli.tables import on_terminal, short_time
from cli.words import in_commands

LINE_SECONDS = 5.0
EPOCH_COLUMNS = ("epoch", "train_loss", "valid_loss", "error_rate", "images/s", "time")
EPOCH_LINE = "{:>5}  {:>10}  {:>10}  {:>10}  {:>8}  {:>10}"


class JobFailed(CommandError):
    """The job that was watched did not succeed."""


class Screen:
    """Shows events. On a terminal the position is redrawn in place; elsewhere it is a line now and then."""

    def __init__(self) -> None:
        """Nothing is shown before the first event."""
        self.bar = _bar() if on_terminal() else None
        self.task: TaskID | None = None
        self.said_at = 0.0
        self.stage = ""
        self.has_header = False

    def show(self, event: Event) -> None:
        """Show one event; batches are too many for people."""
        if event.name == "progress":
            self._progress(event.data)
        elif event.name == "epoch":
            self._epoch(event.data)
        elif event.name == "log":
            self._line(in_commands(str(event.data.get("message", ""))))
        elif event.name == "state":
            attempt = f" (attempt {event.data['attempt']})" if event.data.get("attempt", 0) > 1 else ""
            self._line(f"{event.data['state']}{attempt}")

    def _progress(self, data: Json) -> None:
        step, steps, stage = int(data.get("step") or 0), int(data.get("steps") or 0), str(data.get("stage") or "")
        left = time_left(data)
        rate = f"{data['images_per_second']:.0f} images/s" if data.get("images_per_second") else ""
        if self.bar is not None:
            self.task = self.task if self.task is not None else self.bar.add_task("")
            self.bar.update(self.task, total=steps or None, completed=step, description=stage, left=left, rate=rate)
        elif stage != self.stage or monotonic() - self.said_at >= LINE_SECONDS:
            self.said_at = monotonic()
            position = f"{step}/{steps}" if steps else ""
            self._line("  ".join(part for part in (stage, position, left, rate) if part))
        self.stage = stage

    def _epoch(self, data: Json) -> None:
        if not self.has_header:
            self._line(EPOCH_LINE.format(*EPOCH_COLUMNS))
            self.has_header = True
        self._line(EPOCH_LINE.format(*epoch_cells(data)))

    def _line(self, text: str) -> None:
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            click.echo(text)

    def context(self) -> AbstractContextManager[object]:
        """Where the live line lives."""
        return self.bar if self.bar is not None else nullcontext()


def time_left(progress: Json) -> str:
    """The job's, else the stage's, said as such; nothing where neither is known."""
    if progress.get("eta_seconds") is not None:
        return f"{short_time(progress['eta_seconds'])} left"
    stage = progress.get("stage_eta_seconds")
    return "" if stage is None else f"{short_time(stage)} left of this stage"


def epoch_cells(epoch: Json) -> list[str]:
    """A row of the table of epochs; phases and epochs count from 1 for people."""
    rates = [f"{epoch[name]:.4f}" for name in ("train_loss", "valid_loss", "error_rate")]
    number = f"{epoch['phase'] + 1}.{epoch['epoch'] + 1}"
    return [number, *rates, f"{epoch['images_per_second']:.0f}", short_time(epoch["seconds"])]


def watch(client: Client, job: int) -> Json:
    """Show a job until it has ended and return it.

    Raises:
        JobFailed: it failed or was cancelled.
    """
    screen = Screen()
    with screen.context():
        for event in follow(client, job):
            screen.show(event)
    ended: dict[str, Any] = client.get(f"/jobs/{job}")
    if ended["state"] != "succeeded":
        error = ended.get("error") or {}
        why = f": {error['detail'].removesuffix('.')}" if error else ""
        raise JobFailed(f"Job {job} {ended['state']}{why}.", error.get("hint"))
    return ended


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total}"))
    texts = (TextColumn("{task.fields[left]}"), TextColumn("{task.fields[rate]}"))
    return Progress(*columns, *texts, console=Console(), transient=True)
