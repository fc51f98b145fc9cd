"""The run that a job starts from: what it must be, what it hands down and what must fit."""

from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.http.field_errors import BodyRefused, faults_of
from ml.config import TrainSettings, inherit
from store.db.lineage import Ancestor, ancestors_of
from store.db.models import Dataset, Job, Run
from store.db.reading import held_run, holds_model, state_of_run, wait_for
from store.errors import AppError, InvalidRequest, NotFound, NotReady, WrongKind, one_of
from store.states import State, standing

Settings = TypeVar("Settings", bound=TrainSettings)

FROM_RUN = "body.from_run"


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
    run = held_run(session, run_id)
    if run is None:
        raise NotFound("there is no such run to start from", one_of("runs"), field=FROM_RUN, value=run_id)
    if run.kind != "train":
        detail = f"that run is of kind {run.kind}: it searched for a rate and holds no weights to start from"
        raise WrongKind(detail, _instead_of(run), field=FROM_RUN, value=run_id)
    job = state_of_run(session, run_id)
    if holds_model(session, job):
        return run
    if job.state in {State.FAILED, State.CANCELLED}:
        detail = f"that run holds no weights to start from: its job {job.id} {_ended(job)}"
        raise ParentWithoutModel(detail, wait_for(job), field=FROM_RUN, value=run_id)
    detail = f"that run holds no weights yet: its job {job.id} {standing(job.state)}"
    raise NotReady(detail, wait_for(job), field=FROM_RUN, value=run_id)


def inherited(config: Settings, parent: Run) -> Settings:
    """The config with the parent's settings wherever it names none.

    Raises:
        ArchDiffers: it names another architecture.
        InvalidRequest: what it names does not fit what it inherits.
    """
    trained = parent.config["arch"]
    if "arch" in config.model_fields_set and config.arch != trained:
        detail, hint = f"the weights of run {parent.id} are of {trained}", f"Leave it out, or set it to {trained}."
        raise ArchDiffers(detail, hint, field="body.config.arch", value=config.arch)
    settings = {name: parent.config[name] for name in TrainSettings.model_fields if name in parent.config}
    try:
        return inherit(config, TrainSettings.model_validate(settings))
    except ValidationError as error:
        (fault,) = faults_of(BodyRefused(error, type(config)).errors(), type(config), 1).told
        field = ".".join(map(str, ("body", "config", *fault.place[1:])))
        # Which of the two that do not fit was handed down, the rule cannot know.
        detail = f"with what run {parent.id} hands down, {fault.detail}"
        raise InvalidRequest(detail, "Name both in config.", field=field, value=fault.sent) from None


def check_fits(session: Session, parent: Run, config: TrainSettings, dataset: Dataset) -> None:
    """Refuse a parent that knows other breeds, or that learned from pictures which would now validate.

    Raises:
        VocabularyDiffers: other breeds.
        SplitDiffers: the parent, or a run that it goes back to, split the same pictures otherwise.
    """
    if parent.vocab != dataset.vocab:
        ours, theirs = set(dataset.vocab), set(parent.vocab)
        example = f", such as {min(ours ^ theirs)!r}" if ours != theirs else ", in another order"
        detail = f"run {parent.id} learned {len(theirs)} breeds, not the {len(ours)} of {dataset.name!r}{example}"
        hint = "Start from a run of a dataset with the same breeds, or from none."
        raise VocabularyDiffers(detail, hint, field=FROM_RUN, value=parent.id)
    for run in [*ancestors_of(session, parent), parent]:
        if run.dataset.revision == dataset.revision:
            _check_split(run, config)


def _check_split(run: Ancestor, config: TrainSettings) -> None:
    for name, ours in (("split", config.split), ("split_seed", config.split_seed), ("valid_pct", config.valid_pct)):
        # Runs of before there were given splits have none recorded, and trained on datasets without one.
        theirs = run.config.get(name, "given")
        if theirs != ours:
            detail = f"it is not run {run.id}'s {theirs}: that run learned from photos that would validate now"
            hint = f"Leave it out, or set it to {theirs}."
            raise SplitDiffers(detail, hint, field=f"body.config.{name}", value=ours)


def _instead_of(search: Run) -> str:
    if search.parent_id is not None:
        return f"Name run {search.parent_id}, which it searched on, and give the rate that it found."
    return "Leave from_run out and give the rate that it found as base_lr or lr_max."


def _ended(job: Job) -> str:
    if job.state == State.CANCELLED:
        return "was cancelled"
    return f"failed with {job.error['code']}" if job.error else "failed"
