"""What a dry run says, in words; where nothing is on record, a forecast job measures first."""

import contextlib
from dataclasses import dataclass

from cli.client import Client, Json
from cli.errors import CommandError
from cli.events import follow
from cli.patience import patiently
from cli.saying import plain, say
from cli.tables import short_time, show_table
from cli.waiting import waiting_words
from pedigree.events import Event

MEASURING = "waiting for the forecast (a worker may have to time a few steps first)"

GIB = 1 << 30


@dataclass
class _Waiting:
    """Hears what a forecast job waits for."""

    words: str = ""

    def __str__(self) -> str:
        return f"waiting for the forecast, {self.words}" if self.words else MEASURING

    def show(self, event: Event) -> None:
        if event.name in {"waiting", "state"}:
            self.words = plain(waiting_words({"waiting": event.data})) if event.name == "waiting" else ""

    def away(self, _seconds: float) -> None:
        self.words = "but the service does not answer"

    def back(self) -> None:
        self.words = ""


def ask_for_forecast(client: Client, body: Json) -> Json:
    """The service's answer to a dry run of a job, measured first where nothing is on record."""
    waiting = _Waiting()
    with patiently(lambda: str(waiting)):
        answer: Json = client.post("/jobs", body, dry_run="true")
        return answer if answer["forecast"] is not None else {**answer, **_measured(client, body, waiting)}


def _measured(client: Client, body: Json, waiting: _Waiting) -> Json:
    """What a forecast job comes to; it ends with the waiting for it."""
    job = client.post("/jobs", {"kind": "forecast", "of": body})["id"]
    try:
        ended = follow(client, job, waiting)
    except KeyboardInterrupt:
        with contextlib.suppress(CommandError):  # it has ended, or the service is away
            client.post(f"/jobs/{job}/cancel")
        raise
    error = ended["error"] or {"detail": f"job {job} was {ended['state']}", "hint": None}
    reason = " ".join(filter(None, (f"{error['detail'].removesuffix('.')}.", error["hint"])))
    return {"forecast": ended["forecast"], "forecast_reason": None if ended["forecast"] else reason}


def show_forecast(answer: Json) -> None:
    """Print what the job would do and how long it would take, or why nobody knows."""
    config, forecast = answer["config"], answer["forecast"]
    _show_phases(config, forecast)
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
