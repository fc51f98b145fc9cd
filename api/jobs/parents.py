"""The run that a job starts from: what it must be, what it hands down and what must fit."""

from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

from ml.config import TrainSettings, inherit
from store.db.lineage import ancestors_of
from store.db.models import Dataset, Job, Run
from store.db.reading import holds_model, state_of_run, wait_for
from store.errors import AppError, InvalidRequest, NotFound, NotReady, WrongKind
from store.states import State

Settings = TypeVar("Settings", bound=TrainSettings)


class ParentWithoutModel(AppError):
    """The run to start from failed or was cancelled, so that it left no weights."""

    status = 409
    code = "parent_without_model"
    title = "Parent without a model"


class ArchDiffers(AppError):
    """The run to start from holds weights of another architecture."""

    status = 400
    code = "arch_differs"
    title = "Other architecture"


class VocabularyDiffers(AppError):
    """The run to start from learned other breeds."""

    status = 400
    code = "vocabulary_differs"
    title = "Other breeds"


class SplitDiffers(AppError):
    """Pictures that would validate were trained on before."""

    status = 400
    code = "split_differs"
    title = "Other split"


def parent_run(session: Session, run_id: int) -> Run:
    """A run that others can start from: of kind train, with a model.

    Raises:
        NotFound: there is none.
        WrongKind: it is a search and holds no weights.
        NotReady: it is not done yet.
        ParentWithoutModel: it failed or was cancelled, and left none.
    """
    run = session.get(Run, run_id)
    if run is None:
        detail = f"there is no run {run_id} to start from; from_run names one that has been trained already"
        raise NotFound(detail, "GET /runs lists them; a run cannot start from itself.")
    if run.kind != "train":
        detail = f"run {run_id} is of kind {run.kind}: it searched for a rate and holds no weights to start from"
        raise WrongKind(detail, _instead_of(run))
    job = state_of_run(session, run_id)
    if holds_model(session, job):
        return run
    if job.state in {State.FAILED, State.CANCELLED}:
        detail = f"run {run_id} holds no weights to start from: its job {job.id} {_ended(job)}"
        raise ParentWithoutModel(detail, wait_for(job))
    raise NotReady(f"run {run_id} holds no weights yet: its job {job.id} is {job.state}", wait_for(job))


def inherited(config: Settings, parent: Run) -> Settings:
    """The config with the parent's settings wherever it names none.

    Raises:
        ArchDiffers: it names another architecture.
        InvalidRequest: what it names does not fit what it inherits.
    """
    trained = parent.config["arch"]
    if "arch" in config.model_fields_set and config.arch != trained:
        detail = f"run {parent.id} holds weights of {trained}, which do not fit {config.arch}"
        raise ArchDiffers(detail, f'Leave config.arch out, or set it to "{trained}".')
    settings = {name: parent.config[name] for name in TrainSettings.model_fields if name in parent.config}
    try:
        return inherit(config, TrainSettings.model_validate(settings))
    except ValidationError as error:
        fact, _, _ = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ").partition("; ")
        detail = f"config does not fit the settings that run {parent.id} hands down: {fact}"
        raise InvalidRequest(detail, "Name both in config.") from None


def check_fits(session: Session, parent: Run, config: TrainSettings, dataset: Dataset) -> None:
    """Refuse a parent that knows other breeds, or that learned from pictures which would now validate.

    Raises:
        VocabularyDiffers: other breeds.
        SplitDiffers: the parent, or a run that it goes back to, split the same pictures otherwise.
    """
    if parent.dataset.vocab != dataset.vocab:
        ours, theirs = set(dataset.vocab), set(parent.dataset.vocab)
        example = f", such as {min(ours ^ theirs)!r}" if ours != theirs else ", in another order"
        detail = f"run {parent.id} learned {len(theirs)} breeds, not the {len(ours)} of {dataset.name!r}{example}"
        raise VocabularyDiffers(detail, "Start from a run of a dataset with the same breeds, or without from_run.")
    for run in [*ancestors_of(session, parent), parent]:
        if run.dataset.revision == dataset.revision:
            _check_split(run, config)


def _check_split(run: Run, config: TrainSettings) -> None:
    for name, ours in (("split", config.split), ("split_seed", config.split_seed), ("valid_pct", config.valid_pct)):
        # Runs of before there were given splits have none recorded, and trained on datasets without one.
        theirs = run.config.get(name, "given")
        if theirs != ours:
            detail = (
                f"{name} {ours} is not run {run.id}'s {theirs}: that run learned from pictures that would validate now"
            )
            raise SplitDiffers(detail, f"Leave config.{name} out, or set it to {theirs}.")


def _instead_of(search: Run) -> str:
    if search.parent_id is not None:
        return f"Name run {search.parent_id}, which it searched on, and give the rate that it found."
    return "Leave from_run out and give the rate that it found as base_lr or lr_max."


def _ended(job: Job) -> str:
    if job.state == State.CANCELLED:
        return "was cancelled"
    return f"failed with {job.error['code']}" if job.error else "failed"
