"""An error of the service in the command's words: a field as its option, a request as one of its commands."""

import shlex
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

OPTIONS = {
    "body.alias": "--alias",
    "body.breed": "BREED",
    "body.by_folder": "--by-folder",
    "body.canary.share": "--share",
    "body.canary.version": "VERSION",
    "body.config.arch": "--arch",
    "body.config.dataset": "--dataset",
    "body.config.epochs": "--epochs",
    "body.config.tta": "--tta",
    "body.encoding": "--encoding",
    "body.expires_at": "--expires",
    "body.from_run": "--from-run",
    "body.label_from": "--label-from",
    "body.labels": "--labels",
    "body.new_labels": "--new-labels",
    "body.merge_labels": "--merge-labels",
    "body.regex": "--regex",
    "body.run": "RUN",
    "body.url": "URL",
    "body.version": "VERSION",
    "body.since": "--since",
    "path.job_id": "JOB",
    "path.prediction": "PREDICTION",
    "path.run_id": "RUN",
    "path.webhook_id": "WEBHOOK",
    "query.augment": "--augment",
    "query.before": "--before",
    "query.dataset": "--dataset",
    "query.error_below": "--error-below",
    "query.item": "--item",
    "query.k": "--k",
    "query.keep": "--keep",
    "query.min_val": "--min-val",
    "query.model": "--model",
    "query.n": "--n",
    "query.phase": "--phase",
    "query.presize": "--presize",
    "query.q": "--search",
    "query.seed": "--seed",
    "query.since": "--since",
    "query.size": "--size",
    "query.split": "--split",
    "query.split_seed": "--split-seed",
    "query.tag": "--tag",
    "query.tta": "--tta",
    "query.valid_pct": "--valid-pct",
}
"""The option or argument that a field of a request is given by. Any other field of a config is given by ``--set``."""


def sentences(problem: Json) -> tuple[str, str | None]:
    """What went wrong, and what to change where the service knows it; of several wrong fields both, for each."""
    faults = problem.get("errors") or []
    if len(faults) > 1:
        return " ".join(f"{said_of(fault)} {ended(fault['hint'])}" for fault in faults), None
    return said_of(problem), _hint(problem)


def said_of(fault: Json) -> str:
    """``--epochs is 0: it is below 1.`` and the like; only the sentence where it is of no field."""
    detail = ended(str(fault["detail"]))
    if fault.get("field") is None:
        return detail
    sent = "" if fault.get("value") is None else f" is {fault['value']}"
    return f"{option_of(str(fault['field']))}{sent}: {detail}"


def option_of(field: str) -> str:
    """What the user of the command gave the field by."""
    if field in OPTIONS:
        return OPTIONS[field]
    match field.split("."):
        case "body", "config", *setting if setting:
            return f"--set {'.'.join(setting)}"
        case _, *inside if inside:
            return ".".join(inside)
    return "the request"


def command_of(request: Json) -> str | None:
    """The command that sends a request of the service; None where none does."""
    path = str(request["path"]).strip("/").split("/")
    words = _looking(path) if request["method"] == "GET" else _changing(path, request.get("body"))
    return None if words is None else f"`{shlex.join(['pedigree', *words])}`"


def _looking(path: list[str]) -> list[str] | None:
    match path:
        case ["datasets" | "jobs" | "models" | "predictions" | "runs" | "webhooks" as what]:
            return [what, "list"]
        case ["datasets" | "models" | "runs" as what, one]:
            return [what, "show", one]
        case ["models", "aliases", alias]:
            return ["models", "moves", alias]
        case ["runs", run, "confusion"]:
            return ["runs", "confusion", run]
        case ["readyz"]:
            return ["doctor"]
    return None


def _changing(path: list[str], body: Json | None) -> list[str] | None:
    match path, body:
        case ["jobs", job, "resume" | "cancel" as act], _:
            return ["jobs", act, job]
        case ["jobs"], {"kind": "interpret", "run": run, "config": {"dataset": dataset}}:
            return ["runs", "interpret", str(run), "--dataset", dataset]
        case ["models"], {"alias": alias}:
            return ["models", "register", "RUN", "--alias", alias]
    return None


def _hint(problem: Json) -> str | None:
    if problem.get("hint") is None:
        return None
    hint = str(problem["hint"])
    command = command_of(problem["request"]) if problem.get("request") else None
    return hint if command is None else f"{hint.removesuffix('.')}: {command}."


def ended(sentence: str) -> str:
    """With its full stop."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
