"""What a dry run says, in words."""

from cli.client import Client, Json, json_of
from cli.patience import patiently
from cli.saying import say
from cli.tables import short_time, show_table

PATIENCE_SECONDS = 600.0
"""The service may wait for a worker to time a few steps before it answers."""

MEASURING = "waiting for the forecast (a worker may have to time a few steps first)"

GIB = 1 << 30


def ask_for_forecast(client: Client, body: Json) -> Json:
    """The service's answer to a dry run of a job."""
    with patiently(MEASURING):
        asked = client.call("POST", "/jobs", json=body, params={"dry_run": "true"}, timeout=PATIENCE_SECONDS)
    answer: Json = json_of(asked)
    return answer


def show_forecast(answer: Json) -> None:
    """Print what the job would do and how long it would take, or why nobody knows."""
    config, forecast = answer["config"], answer["forecast"]
    _show_phases(config, forecast)
    if forecast is None:
        say(f"no forecast: {answer['forecast_reason']}")
        return
    if forecast["search_seconds"]:
        say(f"searching for a rate: at most {short_time(forecast['search_seconds'])}")
    say(f"total: {short_time(forecast['total_seconds'])}{_range(forecast)}")
    peak = forecast["peak_memory_bytes"]
    say(f"peak memory: {'not known' if peak is None else f'{peak / GIB:.2f} GiB'}")
    say(f"{forecast['from']}: {forecast['basis']}")


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
