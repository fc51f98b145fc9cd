"""An error of the service in the command's words: a field as its option, a request as one of its commands."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import click

from ml.errors import BatchTooLarge, PrecisionUnsupported, SweepTooShort, WeightsMissing

Json = Mapping[str, Any]

OPTIONS = {
    "body.alias": "--alias",
    "body.archive": "SOURCE",
    "body.at_once": "--at-once",
    "body.breed": "BREED",
    "body.builtin": "NAME",
    "body.by_folder": "--by-folder",
    "body.canary.share": "--share",
    "body.canary.version": "VERSION",
    "body.changes": "CHANGES",
    "body.config.arch": "--arch",
    "body.config.dataset": "--dataset",
    "body.config.devices": "--devices",
    "body.config.epochs": "--epochs",
    "body.config.tta": "--tta",
    "body.dataset": "--dataset",
    "body.encoding": "--encoding",
    "body.events": "--event",
    "body.expires_at": "--expires",
    "body.file": "FILES",
    "body.from_run": "--from-run",
    "body.kinds": "--kind",
    "body.label_from": "--label-from",
    "body.labels": "--labels",
    "body.limits.answer_ms": "--answer-ms",
    "body.limits.train_minutes": "--train-minutes",
    "body.merge_labels": "--merge-labels",
    "body.minutes": "--minutes",
    "body.model": "--model",
    "body.name": "--name",
    "body.new_labels": "--new-labels",
    "body.note": "TEXT",
    "body.objective": "--objective",
    "body.pruner": "--pruner",
    "body.regex": "--regex",
    "body.reviewer": "--reviewer",
    "body.run": "RUN",
    "body.scope": "--scope",
    "body.seed": "--seed",
    "body.since": "--since",
    "body.space": "--vary",
    "body.tags": "TAGS",
    "body.trials": "--trials",
    "body.url": "URL",
    "body.version": "VERSION",
    "path.alias": "NAME",
    "path.item": "--item",
    "path.job_id": "JOB",
    "path.key_id": "KEY",
    "path.name": "NAME",
    "path.prediction": "PREDICTION",
    "path.run_id": "RUN",
    "path.version": "VERSION",
    "path.webhook_id": "WEBHOOK",
    "query.arch": "--arch",
    "query.augment": "--augment",
    "query.before": "--before",
    "query.by": "--by",
    "query.coverage": "--coverage",
    "query.dataset": "--dataset",
    "query.days": "--days",
    "query.error_below": "--error-below",
    "query.every": "--every",
    "query.format": "--format",
    "query.item": "--item",
    "query.k": "--k",
    "query.keep": "--keep",
    "query.kind": "--kind",
    "query.limit": "--limit",
    "query.min_val": "--min-val",
    "query.model": "--model",
    "query.n": "--n",
    "query.owner": "--owner",
    "query.phase": "--phase",
    "query.presize": "--presize",
    "query.q": "--search",
    "query.run": "--run",
    "query.runs": "RUN",
    "query.seed": "--seed",
    "query.since": "--since",
    "query.size": "--size",
    "query.sort": "--sort",
    "query.source": "--source",
    "query.split": "--split",
    "query.split_seed": "--split-seed",
    "query.state": "--state",
    "query.study": "--study",
    "query.tag": "--tag",
    "query.tta": "--tta",
    "query.valid_pct": "--valid-pct",
    "query.version": "--version",
}
"""The option or argument that a field of a request is given by, where the command at work has no other of that name.

Any other field of a config is given by ``--set``.
"""

SETTINGS = {
    BatchTooLarge.code: ("batch_size",),
    PrecisionUnsupported.code: ("precision",),
    SweepTooShort.code: ("lr_sweep.steps",),
    WeightsMissing.code: ("arch", "pretrained"),
}
"""What the hint of an error with this code may say to set. Of these a hint that names none gets no option."""


def sentences(problem: Json) -> tuple[str, str | None]:
    """What went wrong, and what to change where the service knows it; of several wrong fields both, for each."""
    faults = problem.get("errors") or []
    if len(faults) > 1:
        return " ".join(f"{said_of(fault)} {ended(str(fault['hint']))}" for fault in faults), None
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
    match field.split("."):
        case "body", "config", *setting if setting:
            return _of_setting(".".join(setting))
    if field in OPTIONS:
        return _of_this_command(OPTIONS[field])
    match field.split("."):
        case _, *inside if inside:
            return ".".join(inside)
    return "the request"


def shown_name(parameter: click.Parameter) -> str:
    """``--dataset``, or ``DATASET`` where it is an argument."""
    if isinstance(parameter, click.Argument):
        return parameter.metavar or str(parameter.name).upper()
    return next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0])


def _of_this_command(given: str) -> str:
    """An option that is an argument of the command at work, or the other way round, as it is there."""
    there = _shown_names()
    plain = given.lstrip("-").upper()
    return given if given in there else next((name for name in there if name.lstrip("-").upper() == plain), given)


def _of_setting(name: str) -> str:
    """By its own option, where the command at work has it or cannot set anything."""
    own, there = OPTIONS.get(f"body.config.{name}"), _shown_names()
    given = None if own is None else _of_this_command(own)
    return given if given in there or (given and "--set" not in there) else f"--set {name}"


def _shown_names() -> list[str]:
    context = click.get_current_context(silent=True)
    return [] if context is None else [shown_name(one) for one in context.command.params]


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
    command = command_of(problem["request"]) if problem.get("request") else None
    if command is None:
        return with_options(problem)
    return f"{str(problem['hint']).removesuffix('.')}: {command}."


def with_options(error: Json) -> str:
    """The hint of an error, and the options that set what it names: ``--set pretrained=VALUE``."""
    hint = str(error["hint"])
    settings = [name for name in SETTINGS.get(str(error.get("code")), ()) if re.search(rf"\b{re.escape(name)}\b", hint)]
    options = [_to_type(option_of(f"body.config.{name}")) for name in settings]
    return f"{hint.removesuffix('.')}: {' or '.join(options)}." if options else hint


def _to_type(option: str) -> str:
    if option.startswith("--set "):
        return f"{option}=VALUE"
    return f"{option} VALUE" if option.startswith("--") else option


def ended(sentence: str) -> str:
    """With its full stop."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
