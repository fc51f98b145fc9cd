"""Searches over settings: what must hold before one is queued, and what is told of those on record."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.jobs.job_checks import check_train
from api.schemas.jobs import TrainRequest
from api.schemas.studies import SearchRequest, StudyOut
from ml.architectures import check_arch
from ml.config import ResolvedConfig
from ml.errors import LearningError
from ml.reading.forecast import split_sizes
from ml.study.plan import Config, Range, SpaceRefused, check_space, config_with
from store.db.models import Dataset, Job
from store.db.studies import studies_of, trials_of_studies
from store.errors import InvalidRequest


def check_search(session: Session, request: SearchRequest) -> tuple[ResolvedConfig, Dataset]:
    """The base config, resolved, and the dataset's current revision.

    Raises:
        InvalidRequest: a field of the space cannot be searched so.
        UnknownArch, BatchTooLarge, SweepTooShort, NotFound: as ``api.jobs.job_checks.check_train``.
    """
    try:
        check_space(request.config, request.space, request.objective)
    except SpaceRefused as error:
        raise _refused(error) from None
    config = _with_smallest_batches(request)
    train = TrainRequest(kind="train", dataset=request.dataset, config=config, name=request.name)
    resolved, dataset = check_train(session, train)
    _check_archs(request)
    _check_batches(request, resolved, dataset)
    return resolved, dataset


def studies_on_record(session: Session, jobs: Sequence[Job]) -> dict[int, StudyOut]:
    """How far the searches among the jobs are."""
    searches = {job.id: job for job in jobs if job.kind == "search"}
    studies = studies_of(session, searches)
    trials = trials_of_studies(session, studies)
    return {job_id: StudyOut.of(searches[job_id], study, trials[job_id]) for job_id, study in studies.items()}


def _refused(error: SpaceRefused) -> InvalidRequest:
    return InvalidRequest(error.detail, error.hint, field=f"body.space.{error.name}", value=error.value)


def _check_archs(request: SearchRequest) -> None:
    archs = request.space.get("arch", [])
    for arch in archs if isinstance(archs, list) else []:
        try:
            check_arch(str(arch))
        except LearningError as error:
            raise InvalidRequest(error.detail, error.hint, field="body.space.arch", value=arch) from None


def _with_smallest_batches(request: SearchRequest) -> Config:
    """The base config; where batches are searched, its own is not what trains."""
    domain = request.space.get("batch_size")
    if domain is None:
        return request.config
    smallest = domain.low if isinstance(domain, Range) else min(one for one in domain if isinstance(one, int))
    return config_with(request.config, {"batch_size": int(smallest)})


def _check_batches(request: SearchRequest, resolved: ResolvedConfig, dataset: Dataset) -> None:
    domain = request.space.get("batch_size")
    if domain is None:
        return
    train, _ = split_sizes(dataset.items, resolved, dataset.summary.get("split"))
    largest = domain.high if isinstance(domain, Range) else max(one for one in domain if isinstance(one, int))
    if largest > train:
        detail = f"{dataset.name!r} has only {train} training photos"
        raise InvalidRequest(detail, f"Give {train} at most.", field="body.space.batch_size", value=largest)
