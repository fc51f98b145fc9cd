"""What ``pedigree runs show`` prints of a run."""

import json
from collections.abc import Iterator

from cli.client import Json
from cli.dataset_report import revision_of
from cli.saying import say
from cli.story import story
from cli.tables import Pairs, heading, short_time, show_pairs, show_table
from cli.times import times_of

_MIB = 1024 * 1024
_FIGURES = ("train_loss", "valid_loss", "error_rate")
_PHASE = ("lr_max", "pct_start", "div", "div_final", "momentum")


def show_run(run: Json) -> None:
    """Print a run: what and when, where it ran, its configuration, what came of it, and its story."""
    show_pairs([*_what(run), *_when(run)])
    heading("where it ran")
    show_pairs(list(_where(run)))
    heading("configuration, by the names that --set takes")
    show_pairs(list(_settings(run["config"])))
    _show_phases(run["config"].get("phases") or [])
    heading("what came of it")
    show_pairs([*_figures(run), *story(run)])


def dataset_of(run: Json) -> str:
    """Its name, and whether it is drawn."""
    return f"{run['dataset']['name']}{' (drawn)' if run['dataset']['drawn'] else ''}"


def _what(run: Json) -> Pairs:
    return [
        ("run", run["id"]),
        ("name", run["name"]),
        ("tags", ", ".join(run["tags"]) or None),
        ("note", run["note"]),
        ("kind", f"{run['kind']}, {run['recipe']}" if run["recipe"] else run["kind"]),
        ("state", run["state"]),
        ("job", run["job"]),
        ("parent", run["parent"]),
        ("dataset", f"{dataset_of(run)} at revision {revision_of(run['dataset'])}"),
    ]


def _when(run: Json) -> Pairs:
    took = None if run["seconds"] is None else short_time(run["seconds"])
    return [*times_of(run), ("took", took)]


def _where(run: Json) -> Iterator[tuple[str, object]]:
    if run["device"] is None:
        yield "device", "not known before a worker has begun"
        return
    yield "device", run["device"]
    yield "precision", f"{run['precision']}: {run['precision_reason']}"
    yield "weights", (run["weights"] or {}).get("file", "none: from scratch")
    plan = run["plan"] or {}
    if "train_items" in plan:
        yield "photos", f"{plan['train_items']} to train on, {plan['valid_items']} to validate with"
    yield "steps", plan.get("steps")
    if plan.get("accumulation", 1) > 1:
        yield "batches", f"in {plan['accumulation']} parts each, because the memory did not hold a whole one"
    yield from (run["versions"] or {}).items()


def _settings(config: Json, above: str = "") -> Iterator[tuple[str, object]]:
    """Each field with its dotted name and its value as JSON; phases are a table of their own."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{above}{name}.")
        elif (above, name) != ("", "phases"):
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value)


def _show_phases(phases: list[Json]) -> None:
    if not phases:
        return
    say()
    rows = [
        [number, "frozen" if phase["freeze"] else "unfrozen", phase["epochs"], *(_rate(phase, name) for name in _PHASE)]
        for number, phase in enumerate(phases, 1)
    ]
    show_table(("phase", "body", "epochs", *_PHASE), rows)


def _rate(phase: Json, name: str) -> object:
    """A figure, or those of the parameter groups; of a rate that a search finds, multiples."""
    value = phase.get(name)
    if not isinstance(value, list):
        return value
    figures = ", ".join(f"{one:.3g}" for one in value)
    return f"auto × ({figures})" if name == "lr_max" and phase.get("auto") else figures


def _figures(run: Json) -> Iterator[tuple[str, object]]:
    for name in _FIGURES:
        yield name.replace("_", " "), run[name]
    for file in run["artifacts"]:
        size = f"{file['bytes'] / _MIB:.1f} MiB" if file["bytes"] >= _MIB else f"{file['bytes']} bytes"
        yield f"file {file['name']}", size
