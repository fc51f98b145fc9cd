"""What must hold before a job is queued: whatever it names exists, has finished and fits."""

from sqlalchemy.orm import Session

from api.schemas.jobs import InterpretRequest, TrainRequest
from ml.architectures import check_arch
from ml.config import ResolvedConfig, resolve
from store.db.datasets import current_dataset
from store.db.models import Dataset, Run
from store.db.reading import get_run, state_of_run
from store.errors import InvalidRequest, NotFound, NotReady, WrongKind
from store.states import State


def check_train(session: Session, request: TrainRequest) -> tuple[ResolvedConfig, Dataset]:
    """The resolved config and the dataset's current revision.

    Raises:
        UnknownArch: the architecture is not supported.
        NotFound: no such dataset or parent run.
        NotReady: the parent has not succeeded.
        WrongKind: the parent trained nothing.
        InvalidRequest: the parent's weights do not fit.
    """
    check_arch(request.config.arch)
    dataset = current_dataset(session, request.dataset)
    if dataset is None:
        hint = "GET /datasets lists them; `pedigree datasets add` or POST /datasets brings one in."
        raise NotFound(f"there is no dataset {request.dataset!r}", hint)
    if request.from_run is not None:
        _check_parent(trained_run(session, request.from_run), request.config.arch, dataset)
    return resolve(request.config), dataset


def check_interpret(session: Session, request: InterpretRequest) -> Run:
    """The run to interpret.

    Raises:
        NotFound: no such run.
        NotReady: it has not succeeded.
        WrongKind: it trained nothing.
    """
    return trained_run(session, request.run)


def trained_run(session: Session, run_id: int) -> Run:
    """A run of kind train that has succeeded.

    Raises:
        NotFound: no such run.
        NotReady: it has not succeeded.
        WrongKind: it is of another kind.
    """
    run = get_run(session, run_id)
    if run.kind != "train":
        raise WrongKind(f"run {run_id} is of kind {run.kind} and holds no model", "Name a run of kind train.")
    job = state_of_run(session, run_id)
    if job.state != State.SUCCEEDED:
        raise NotReady(f"run {run_id} holds no model: its job {job.id} is {job.state}", f"Wait for job {job.id}.")
    return run


def _check_parent(parent: Run, arch: str, dataset: Dataset) -> None:
    trained = parent.config["arch"]
    if trained != arch:
        detail = f"run {parent.id} holds weights of {trained}, which do not fit {arch}"
        raise InvalidRequest(detail, f'Set config.arch to "{trained}".')
    if parent.dataset.vocab != dataset.vocab:
        detail = f"run {parent.id} learned other breeds ({len(parent.dataset.vocab)}) than {dataset.name!r} has"
        raise InvalidRequest(detail, "Train from a run of a dataset with the same breeds, or without from_run.")
