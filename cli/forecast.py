"""What a dry run says, in words; where nothing is on record, a forecast job measures first."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from cli.client import Client, Json, ServiceError
from cli.errors import CommandError, Interrupted
from cli.events import follow
from cli.patience import patiently
from cli.problems import with_options
from cli.progress_line import fitted
from cli.saying import plain, say
from cli.tables import short_time, show_table
from cli.waiting import waiting_line, waiting_words
from cli.watch import command
from ml.errors import WeightsMissing
from pedigree.events import Event

AWAY = "waiting for the forecast, but the service does not answer"
GIVEN_UP = "The forecast was given up; nothing was queued."
MEASURING = "waiting for the forecast (a worker may have to time a few steps first)"

GIB = 1 << 30


@dataclass
class _Waiting:
    """Hears what a forecast job waits for."""

    waiting: Json | None = None
    is_away: bool = False

    def __str__(self) -> str:
        if self.is_away:
            return AWAY
        return MEASURING if self.waiting is None else f"forecast {plain(waiting_words({'waiting': self.waiting}))}"

    def line(self, width: int, waited: float) -> str:
        waiting = self.waiting  # read once: another thread draws
        if waiting is None or self.is_away:
            return fitted(f"{self}  {short_time(waited)}", width)
        return waiting_line(waiting, width, waited, "forecast")

    def show(self, event: Event) -> None:
        if event.name in {"waiting", "state"}:
            self.waiting = event.data if event.name == "waiting" else None

    def away(self, _seconds: float) -> None:
        self.is_away = True

    def back(self) -> None:
        self.is_away = False


def ask_for_forecast(client: Client, body: Json) -> Json:
    """The service's answer to a dry run of a job, measured first where nothing is on record."""
    waiting = _Waiting()
    with _given_up(), patiently(lambda: str(waiting), waiting.line):
        answer: Json = client.post("/jobs", body, dry_run="true")
        is_told = answer["forecast"] is not None or answer["config"].get("devices", 1) != 1
        return answer if is_told else {**answer, **_measured(client, body, waiting)}


@contextlib.contextmanager
def _given_up() -> Iterator[None]:
    """A request for a forecast queues nothing that the user has asked for."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(GIVEN_UP) from None


def _measured(client: Client, body: Json, waiting: _Waiting) -> Json:
    """What a forecast job comes to; it ends with the waiting for it."""
    try:
        job = client.post("/jobs", {"kind": "forecast", "of": body})["id"]
    except KeyboardInterrupt:
        shows = f"{command('jobs', 'list', '--kind', 'forecast')} shows whether a job measures for it"
        raise Interrupted(f"The forecast was given up; {shows}.") from None
    try:
        ended = follow(client, job, waiting)
    except KeyboardInterrupt:
        try:
            client.post(f"/jobs/{job}/cancel")
        except ServiceError:  # it has ended
            raise Interrupted(GIVEN_UP) from None
        except CommandError:
            why = f"job {job}, which measures for it, may go on, as the service does not answer"
            raise Interrupted(f"The forecast was given up; {why}: {command('jobs', 'cancel', job)} stops it.") from None
        raise Interrupted(f"The forecast was given up; job {job}, which measures for it, is cancelled.") from None
    error = ended["error"] or {"detail": f"job {job} was {ended['state']}", "hint": None}
    reason = " ".join(filter(None, (f"{error['detail'].removesuffix('.')}.", error["hint"] and with_options(error))))
    return {"forecast": ended["forecast"], "forecast_reason": None if ended["forecast"] else reason}


def show_forecast(answer: Json) -> None:
    """Print what the job would do and how long it would take, or why nobody knows."""
    config, forecast = answer["config"], answer["forecast"]
    _show_phases(config, forecast)
    weights = answer.get("weights")
    if weights is not None and not weights["in_reach"]:
        way = with_options({"code": WeightsMissing.code, "hint": weights["hint"]})
        say(f"THE PRETRAINED WEIGHTS OF {config['arch']} ARE NOT HERE. {way}")
    if forecast is None:
        say(f"no forecast: {answer['forecast_reason']}")
        return
    if forecast["rate_search_seconds"]:
        say(f"searching for a rate: at most {short_time(forecast['rate_search_seconds'])}")
    say(f"total: {in_all(forecast)}")
    peak = forecast["peak_memory_bytes"]
    say(f"peak memory: {'not known' if peak is None else f'{peak / GIB:.2f} GiB'}")
    say(f"{forecast['from']}: {forecast['basis']}")


def in_all(forecast: Json) -> str:
    """``4 min 30 s (4 min 0 s to 5 min 0 s)``: the whole time, and its range where that is known."""
    return f"{short_time(forecast['total_seconds'])}{_range(forecast)}"


def _range(forecast: Json) -> str:
    """The fastest and the slowest, where it was measured more than once and they differ."""
    ends = [forecast["total_seconds_low"], forecast["total_seconds_high"]]
    if None in ends:
        return ""
    low, high = map(short_time, ends)
    return "" if low == high else f" ({low} to {high})"


def _show_phases(config: Json, forecast: Json | None) -> None:
    phases = config.get("phases")
    if phases is None:
        sweep = config["lr_sweep"]
        body = _body(config)
        say(f"{config['arch']}, {body}: {sweep['sweeps']} sweeps of {sweep['steps']} steps")
        return
    seconds = forecast["seconds_per_epoch"] if forecast is not None else [None] * len(phases)
    say(f"{config['arch']}, {config['recipe']}, batches of {config['batch_size']}")
    rows = [
        [number, _body(phase), phase["epochs"], _rates(phase), None if epoch is None else short_time(epoch)]
        for number, (phase, epoch) in enumerate(zip(phases, seconds, strict=True), 1)
    ]
    show_table(("phase", "body", "epochs", "lr_max", "an epoch"), rows)


def _body(phase: Json) -> str:
    return "frozen" if phase["freeze"] else "unfrozen"


def _rates(phase: Json) -> str:
    rates = ", ".join(f"{rate:.3g}" for rate in phase["lr_max"])
    return f"auto × ({rates})" if phase.get("auto") else rates
