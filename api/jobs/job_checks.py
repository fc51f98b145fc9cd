"""What must hold before a job is queued: whatever it names exists, has finished and fits."""

from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.jobs.parents import check_fits, inherited, parent_run
from api.schemas.jobs import InterpretRequest, LrFindRequest, PredictRequest, TrainRequest
from ml.architectures import check_arch
from ml.config import LrFind, LrSweep, ResolvedConfig, TrainSettings, complete, resolve
from ml.errors import BatchTooLarge, SweepTooShort, batch_hint
from ml.reading.forecast import split_sizes
from ml.reading.suggestions import LEAST_STEPS
from store.db.datasets import current_dataset
from store.db.models import Dataset, ModelVersion, Run
from store.db.reading import get_run, held_run, holds_model, state_of_run, wait_for
from store.db.registry import held_version, resolve_model
from store.errors import InvalidRequest, NotFound, NotReady, WrongKind, one_of
from store.states import standing

NAMED_BREEDS = 5
LEAST_BREEDS = 2
BODY = ("body",)

Settings = TypeVar("Settings", bound=TrainSettings)


def check_train(
    session: Session, request: TrainRequest, place: tuple[str, ...] = BODY
) -> tuple[ResolvedConfig, Dataset]:
    """The resolved config and the dataset's current revision; ``place`` is where the request stood in what was sent.

    Raises:
        UnknownArch: the architecture is not supported.
        BatchTooLarge: fewer training photos than a batch.
        SweepTooShort: a rate is left to a search of too few steps.
        NotFound: no such dataset or parent run.
        InvalidRequest: the dataset has a single breed.
        AppError: as ``api.jobs.parents``, where the parent cannot be gone on from.
    """
    config, dataset = _start(session, request, request.config, place)
    resolved = resolve(config)
    if any(phase.auto == "find" for phase in resolved.phases):
        _check_sweep(resolved.lr_sweep)
    return resolved, dataset


def check_lr_find(session: Session, request: LrFindRequest, place: tuple[str, ...] = BODY) -> tuple[LrFind, Dataset]:
    """The config with what it inherits and the dataset's current revision.

    Raises:
        SweepTooShort: the sweep has too few steps for any suggestion.
        UnknownArch, BatchTooLarge, NotFound, AppError: as :func:`check_train`.
    """
    config, dataset = _start(session, request, request.config, place)
    _check_sweep(config.lr_sweep)
    return config, dataset


def _start(
    session: Session, request: TrainRequest | LrFindRequest, config: Settings, place: tuple[str, ...]
) -> tuple[Settings, Dataset]:
    parent = parent_run(session, request.from_run) if request.from_run is not None else None
    config = inherited(config, parent) if parent is not None else _completed(config, (*place, request.kind))
    check_arch(config.arch)
    name = request.dataset or (parent.dataset.name if parent is not None else "")
    dataset = current_dataset(session, name)
    if dataset is None:
        raise no_dataset("body.dataset", name)
    if len(dataset.vocab) < LEAST_BREEDS:
        hint = "Name a dataset of more breeds, or add this one to those of a model."
        detail = f"all its photos have the label {dataset.vocab[0]!r}, and there is nothing to tell apart"
        raise InvalidRequest(detail, hint, field="body.dataset", value=name)
    if parent is not None:
        check_fits(session, parent, config, dataset)
    train, _ = split_sizes(dataset.items, config, dataset.summary.get("split"))
    if train < config.batch_size:
        detail = f"{train} training photos of {dataset.name!r} are fewer than one batch of {config.batch_size}"
        raise BatchTooLarge(detail, batch_hint(train))
    return config, dataset


def _check_sweep(sweep: LrSweep) -> None:
    if sweep.steps < LEAST_STEPS:
        detail = f"{sweep.steps} steps are too short a sweep for any suggestion"
        raise SweepTooShort(detail, f"Set lr_sweep.steps to {LEAST_STEPS} or more; 100 is usual.")


def _completed(config: Settings, place: tuple[str, ...]) -> Settings:
    """The config with its defaults, which must fit what it names.

    Raises:
        RequestValidationError: they do not.
    """
    try:
        return complete(config)
    except ValidationError as error:
        # The path that the fault would have had, had the body been checked for it: with the names of union members.
        recipe = getattr(config, "recipe", None)
        path = (*place, "config") if recipe is None else (*place, "config", recipe)
        raise RequestValidationError([{**fault, "loc": (*path, *fault["loc"])} for fault in error.errors()]) from None


def check_interpret(session: Session, request: InterpretRequest) -> tuple[Run, Dataset]:
    """The run to interpret, and the dataset to predict: its own, or the current revision of the named one.

    Raises:
        NotFound: no such run or dataset.
        NotReady: the run holds no model.
        WrongKind: it trained nothing.
        InvalidRequest: the dataset has a breed that the run did not learn.
    """
    run = trained_run(session, request.run)
    name = request.config.dataset
    if name is None:
        return run, run.dataset
    dataset = current_dataset(session, name)
    if dataset is None:
        raise no_dataset("body.config.dataset", name)
    learned = set(run.vocab)
    unknown = [breed for breed in dataset.vocab if breed not in learned]
    if unknown:
        named = ", ".join(repr(breed) for breed in unknown[:NAMED_BREEDS])
        more = f" and {len(unknown) - NAMED_BREEDS} more" if len(unknown) > NAMED_BREEDS else ""
        detail = f"it has breeds that run {run.id} did not learn: {named}{more}"
        hint = f"Name a dataset whose breeds are all among the {len(learned)} of run {run.id}."
        raise InvalidRequest(detail, hint, field="body.config.dataset", value=name)
    return run, dataset


def check_predict(session: Session, request: PredictRequest) -> tuple[ModelVersion, Dataset]:
    """The version of now, and the dataset's current revision.

    Raises:
        NoModel: nothing is in production.
        NotFound: no such version, alias or dataset.
    """
    dataset = current_dataset(session, request.dataset)
    if dataset is None:
        raise no_dataset("body.dataset", request.dataset)
    return held_version(session, resolve_model(session, request.model).id), dataset


def no_dataset(field: str, name: str) -> NotFound:
    """The error for a dataset that is not on record, named in ``field``."""
    return NotFound("there is no dataset of that name", one_of("datasets"), field=field, value=name)


def trained_run(session: Session, run_id: int) -> Run:
    """A run of kind train that holds a model.

    Raises:
        NotFound: no such run.
        NotReady: it holds none, or none yet.
        WrongKind: it is of another kind.
    """
    held_run(session, run_id)
    run = get_run(session, run_id)
    if run.kind != "train":
        raise WrongKind(f"run {run_id} is of kind {run.kind} and holds no model", "Name a run of kind train.")
    job = state_of_run(session, run_id)
    if not holds_model(session, job):
        raise NotReady(f"run {run_id} holds no model: its job {job.id} {standing(job.state)}", wait_for(job))
    return run
