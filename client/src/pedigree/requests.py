"""The bodies of requests, made of what a person writes."""

from collections.abc import Mapping
from typing import Any

from pedigree.errors import PedigreeError

Config = Mapping[str, Any]


def training(
    dataset: str | None,
    config: Config,
    *,
    arch: str | None,
    epochs: int | None,
    from_run: int | None,
    name: str | None,
) -> dict[str, Any]:
    """The request of a training; what is not said is left to the service, or to the run it goes on from.

    Raises:
        PedigreeError: neither a dataset nor a run is named.
    """
    chosen = {key: value for key, value in {"arch": arch, "epochs": epochs}.items() if value is not None}
    return _learning("train", dataset, {**chosen, **config}, from_run=from_run, name=name)


def rate_search(
    dataset: str | None, config: Config, *, arch: str | None, from_run: int | None, name: str | None
) -> dict[str, Any]:
    """The request of a search for a learning rate.

    Raises:
        PedigreeError: neither a dataset nor a run is named.
    """
    chosen = {} if arch is None else {"arch": arch}
    return _learning("lr_find", dataset, {**chosen, **config}, from_run=from_run, name=name)


def study(
    dataset: str, space: Mapping[str, Any], config: Config, *, name: str | None, **asked: object
) -> dict[str, Any]:
    """The request of a search over settings; what is None is left to the service."""
    chosen = {key: value for key, value in asked.items() if value is not None}
    return {
        "kind": "search",
        "dataset": dataset,
        "space": dict(space),
        "config": dict(config),
        "name": name,
        **chosen,
    }


def interpretation(run: int, *, tta: bool, dataset: str | None) -> dict[str, Any]:
    """The request to predict a run's pictures again."""
    return {"kind": "interpret", "run": run, "config": {"tta": tta, "dataset": dataset}}


def _learning(
    kind: str, dataset: str | None, config: Config, *, from_run: int | None, name: str | None
) -> dict[str, Any]:
    if dataset is None and from_run is None:
        hint = "Give a dataset, or the run to go on from as from_run."
        raise PedigreeError("there is nothing to train on", code="no_dataset", hint=hint)
    return {"kind": kind, "dataset": dataset, "config": dict(config), "from_run": from_run, "name": name}


def upload_fields(
    name: str,
    *,
    label_from: str | None = None,
    regex: str | None = None,
    by_folder: bool = False,
    merge_labels: bool = False,
    encoding: str | None = None,
) -> dict[str, str]:
    """The fields of a dataset's upload, without what is not given."""
    given = {"label_from": label_from, "regex": regex, "encoding": encoding}
    chosen = {field: value for field, value in given.items() if value is not None}
    flags = {"by_folder": by_folder, "merge_labels": merge_labels}
    return {"name": name} | chosen | {field: "true" for field, is_wished in flags.items() if is_wished}
