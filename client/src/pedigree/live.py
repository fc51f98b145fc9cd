"""What is known of a job while it is followed, and how a notebook or a terminal shows it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol, TextIO

from pedigree import html
from pedigree.curve import curve
from pedigree.events import FINAL, Event

MOST_POINTS = 600
NOTEBOOK_SECONDS = 1.0
"""Between two drawings of a notebook: each is a message to the browser."""
EPOCH_COLUMNS = ("phase", "epoch", "train_loss", "valid_loss", "error_rate", "time")
BATCH_FIELDS = ("step", "train_loss")


@dataclass
class Live:
    """A job's state, gathered from its events; the curve holds at most ``MOST_POINTS`` points."""

    job: int
    run: int | None
    state: str = "queued"
    progress: Mapping[str, Any] = field(default_factory=dict)
    epochs: list[Mapping[str, Any]] = field(default_factory=list)
    train: list[tuple[float, float]] = field(default_factory=list)
    valid: list[tuple[float, float]] = field(default_factory=list)
    _every: int = 1
    _last_step: int = 0

    def hear(self, event: Event) -> None:
        match event.name:
            case "state":
                self.state = str(event.data["state"])
            case "progress":
                self.progress = event.data
            case "epoch":
                self._epoch(event.data)
            case "batch":
                self._batch(event.data)

    def _epoch(self, data: Mapping[str, Any]) -> None:
        place = (data["phase"], data["epoch"])
        # A resumed attempt does an epoch again that the one before had begun.
        self.epochs = [row for row in self.epochs if (row["phase"], row["epoch"]) < place]
        self.epochs.append(data)
        if data.get("valid_loss") is not None:
            self.valid = [point for point in self.valid if point[0] < self._last_step]
            self.valid.append((self._last_step, data["valid_loss"]))

    def _batch(self, data: Mapping[str, Any]) -> None:
        for step, loss in zip(*(data.get(name, ()) for name in BATCH_FIELDS), strict=False):
            if step < self._last_step:
                self.train = [point for point in self.train if point[0] < step]
            self._last_step = step
            if step % self._every == 0 and loss is not None:
                self.train.append((step, loss))
        while len(self.train) > MOST_POINTS:
            self._every *= 2
            self.train = [point for point in self.train if point[0] % self._every == 0]

    def sentence(self) -> str:
        """``run 3 (job 5): running, train 40/126, about 54 s left``."""
        where = position(self.progress) if self.state == "running" else ""
        return f"{self.state_sentence}, {where}" if where else self.state_sentence

    @property
    def state_sentence(self) -> str:
        """``run 3 (job 5): running``."""
        name = f"job {self.job}" if self.run is None else f"run {self.run} (job {self.job})"
        return f"{name}: {self.state}"

    def html(self) -> str:
        """The sentence, the curve and the table of epochs."""
        lines = {"training loss": self.train, "validation loss": self.valid}
        rows = [epoch_row(epoch) for epoch in self.epochs]
        shown = html.table(EPOCH_COLUMNS, rows) if rows else ""
        return html.line(self.sentence()) + curve(lines, label="losses by step") + shown


def epoch_row(epoch: Mapping[str, Any]) -> list[object]:
    """A row of the table of epochs, counted from one as people do."""
    figures: list[object] = [epoch[name] for name in ("train_loss", "valid_loss", "error_rate")]
    return [epoch["phase"] + 1, epoch["epoch"] + 1, *figures, clock(epoch["seconds"])]


def clock(seconds: float) -> str:
    """``1:08`` of 68 seconds."""
    whole = round(seconds)
    hours, minutes = f"{whole // 3600}:" if whole >= 3600 else "", whole % 3600 // 60  # noqa: PLR2004  # an hour
    return f"{hours}{minutes:0{2 if hours else 1}d}:{whole % 60:02d}"


def position(progress: Mapping[str, Any]) -> str:
    """Where a job is, of what is known of it."""
    stage, step, steps = (progress.get(name) for name in ("stage", "step", "steps"))
    where = f"{stage or ''}{f' {step}/{steps}' if steps else ''}".strip()
    left = progress.get("eta_seconds")
    return where if left is None else f"{where}, {clock(left)} left"


class Display(Protocol):
    """Shows a job that is followed."""

    def show(self, live: Live) -> None:
        """Show where it stands now."""

    def say(self, text: str) -> None:
        """Tell the reader something beside it."""


class Silent:
    """No progress; what is said beside it goes to stderr, as it must not be missed."""

    def show(self, live: Live) -> None: ...

    def say(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")


class Terminal:
    """Each epoch and change of state as a line; on a terminal one more line that moves."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.said, self.epochs, self.width = "", 0, 0
        self.moves = stream.isatty()

    def show(self, live: Live) -> None:
        """Write what is new."""
        if len(live.epochs) > self.epochs:
            self._line("  ".join(_cell(value) for value in epoch_row(live.epochs[-1])))
        self.epochs = len(live.epochs)
        text = live.sentence()
        if live.state in FINAL or not self.moves:
            steady = live.state_sentence
            if steady != self.said:
                self.said = steady
                self._line(steady)
        else:
            self.stream.write(f"\r{text:<{self.width}}")
            self.width = len(text)
            self.stream.flush()

    def say(self, text: str) -> None:
        """A line of its own."""
        self._line(text)

    def _line(self, text: str) -> None:
        blank = f"\r{' ' * self.width}\r" if self.width else ""
        self.width = 0
        self.stream.write(f"{blank}{text}\n")
        self.stream.flush()


class Notebook:
    """One output of a cell, replaced each time."""

    def __init__(self, display: Any, make_html: Any) -> None:  # noqa: ANN401  # IPython, where it is there
        self.make_html = make_html
        self.handle = display(make_html(""), display_id=True)
        self.drawn_at, self.state = 0.0, ""

    def show(self, live: Live) -> None:
        """Draw where something else than the position changed, or a second has passed."""
        now = monotonic()
        if live.state == self.state and now - self.drawn_at < NOTEBOOK_SECONDS:
            return
        self.drawn_at, self.state = now, live.state
        self.handle.update(self.make_html(live.html()))

    def say(self, text: str) -> None:
        """As the cell's own text."""
        sys.stderr.write(f"{text}\n")


def display_for(*, progress: bool) -> Display:
    """What suits the reader: a notebook's cell, a terminal, or nothing."""
    if not progress:
        return Silent()
    if _in_notebook():
        from IPython.display import HTML, display  # noqa: PLC0415  # only where it runs

        return Notebook(display, HTML)
    return Terminal(sys.stderr)


def _in_notebook() -> bool:
    """Whether this runs in a kernel, which shows HTML; IPython in a terminal does not."""
    running = sys.modules.get("IPython")
    shell = None if running is None else running.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
