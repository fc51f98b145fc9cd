"""Reviewing labels: which are worth a look, what people decided, and what to label next."""

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from api.datasets.allowed_bytes import check_bytes
from api.datasets.corrections import NamedPredictions, changes_items, decisions_of
from api.datasets.label_next import Labelled, Pictures, next_to_label
from api.datasets.review_queue import RANKED, ranked_page, run_of_cursor, sent_page
from api.dependencies import Services, ServicesDep, Slice, SliceDep
from api.http.field_errors import BodyRefused
from api.http.media_types import JSON, is_json, media_type
from api.http.tables import TableRoute
from api.http.unreadable import unsaid_json
from api.jobs.queueing import queue_job
from api.routes.answers import answers_of
from api.schemas.fields import DatasetName, Id
from api.schemas.jobs import JobOut
from api.schemas.problem import problems
from api.schemas.review import Corrections, LabelNext, ReviewItem, ReviewPage, Source
from store.db.audit import who_changes
from store.db.datasets import get_dataset, lock_dataset
from store.db.label_reviews import SOURCE, Decision, add_reviews, review_in_hand
from store.db.models import Dataset, Job
from store.db.reading import get_job
from store.db.reviewable import predicted
from store.errors import Hint, NotFound, StaleRevision, StateConflict
from store.errors import Request as Instead
from store.keys import ANSWERS_LINES
from store.states import FINAL, State

router = APIRouter(tags=["review"], route_class=TableRoute)

Name = Annotated[DatasetName, Path()]
BODY = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{Corrections.__name__}"}}},
    }
}
SOURCES = (
    "doubtful: labels that the run's predictions speak against; top_losses: photos that it takes for another breed; "
    "unsure, unknown: kept predictions that the service was not sure of, or that are of no kind that it knows; "
    "feedback: kept predictions on which people said what they show"
)


@router.get("/datasets/{name}/review", responses=problems(400, 404, 409, 429))
def get_the_review(
    name: Name,
    services: ServicesDep,
    part: SliceDep,
    source: Annotated[Source, Query(description=SOURCES)] = "doubtful",
    run: Annotated[
        Id | None, Query(description="whose predictions; else those of its training with fewest errors")
    ] = None,
) -> ReviewPage:
    """Photos whose label is worth a look, the ones most worth it first, without those that were decided about.

    Predictions of an earlier revision count for the labels that the items have now.
    """
    dataset = _current(services, name)
    if source not in RANKED:
        manifest = services.photos.manifest(dataset.revision)
        with services.sessions.begin() as session:
            found = sent_page(session, manifest, name, source, part.cursor, part.limit)
        return _page(dataset, source, found.items, found.next_cursor)
    return _ranked(services, dataset, cast("Literal['doubtful', 'top_losses']", source), run, part)


@router.post(
    "/datasets/{name}/revisions", status_code=202, openapi_extra=BODY, responses=problems(400, 404, 409, 413, 415, 429)
)
async def make_a_revision(name: Name, request: Request, services: ServicesDep, response: Response) -> JobOut:
    """Queue an import that makes the dataset's next revision of what people decided, or remember that all is right.

    The base revision stays as it is. Decisions are kept with who made them and when; what was said to be right does
    not come again. Where no item changes, the job has succeeded at once and the revision stays the current one.
    """
    kind, body = media_type(request.headers), await request.body()
    # Ten thousand changes take a tenth of a second to read.
    return await run_in_threadpool(lambda: _revise(services, name, _read(kind, body), response))


@router.get("/jobs/{job_id}/label-next", responses=problems(404, 409, 429))
def get_what_to_label_next(
    job_id: Annotated[Id, Path()],
    services: ServicesDep,
    by: Annotated[
        Literal["uncertain", "different"],
        Query(description="where the model can least decide; or as unlike each other as can be"),
    ] = "uncertain",
    limit: Annotated[int, Query(ge=1, le=200, description="photos")] = 20,
) -> LabelNext:
    """The photos of a predict job, such as of an unlabelled folder, that are worth labelling first."""
    with services.sessions.begin() as session:
        job = get_job(session, job_id)
        file = answers_of(job, ANSWERS_LINES)
        dataset = session.get(Dataset, job.payload["dataset_id"]) if "dataset_id" in job.payload else None
        upload = job.payload.get("from_upload")
    pictures = _archived(services, upload) if dataset is None else _items(services, dataset)
    return services.rankings.in_turn(lambda: next_to_label(services.artifacts, job_id, file, pictures, by, limit))


def _read(kind: str, body: bytes) -> Corrections:
    if not is_json(kind):
        raise unsaid_json()
    try:
        return Corrections.model_validate_json(body)
    except ValidationError as error:
        raise BodyRefused(error, Corrections) from None


def _revise(services: Services, name: str, asked: Corrections, response: Response) -> JobOut:
    dataset = _current(services, name)
    _check_base(dataset, asked)
    manifest = services.photos.manifest(dataset.revision)
    with services.sessions.begin() as session:
        sent = NamedPredictions.of(session, asked)
    decisions = decisions_of(asked, manifest, sent)
    state = State.QUEUED if changes_items(decisions, manifest) else State.SUCCEEDED
    job = _record(services, dataset, asked, decisions, state)
    response.headers["Location"] = f"{services.settings.root_path}/jobs/{job.id}"
    return JobOut.of(job, {} if state in FINAL else services.publish(job))


def _items(services: Services, dataset: Dataset) -> Pictures:
    name, revision = dataset.name, dataset.revision
    items = {
        one.path: Labelled(place, one.label, f"/datasets/{name}/items/{place}/image?revision={revision}")
        for place, one in enumerate(services.photos.manifest(revision).items)
    }
    return Pictures(items, name, revision)


def _archived(services: Services, upload: str | None) -> Pictures:
    """Of an archive: what was sent at once is not kept, and an upload for a day."""
    if upload is None:
        return Pictures()
    try:
        services.uploads.whole(upload)
    except (NotFound, StateConflict):
        return Pictures()
    return Pictures(upload=upload)


def _ranked(
    services: Services, dataset: Dataset, source: Literal["doubtful", "top_losses"], run: int | None, part: Slice
) -> ReviewPage:
    asked = run_of_cursor(part.cursor, source)
    with services.sessions.begin() as session:
        found = predicted(session, dataset.name, asked if run is None else run)
    ranking = services.rankings.of(found, dataset)
    with services.sessions.begin() as session:
        ranked = ranked_page(session, ranking, found, dataset.name, source, part.cursor, part.limit)
    page = _page(dataset, source, ranked.page.items, ranked.page.next_cursor)
    about = {
        "run": found.run.id,
        "side": "validation" if found.is_validation else "all",
        "examined": len(ranking.scores.items),
        "waiting": ranked.waiting,
        "wrong": ranking.doubts.wrong if source == "doubtful" else None,
    }
    return page.model_copy(update=about)


def _page(dataset: Dataset, source: Source, items: list[ReviewItem], next_cursor: str | None) -> ReviewPage:
    return ReviewPage(
        items=items,
        next_cursor=next_cursor,
        dataset=dataset.name,
        revision=dataset.revision,
        revision_number=dataset.revision_number,
        drawn=dataset.drawn,
        vocab=dataset.vocab,
        source=source,
        run=None,
        side=None,
        examined=None,
        waiting=None,
        wrong=None,
    )


def _current(services: Services, name: str) -> Dataset:
    with services.sessions.begin() as session:
        return get_dataset(session, name)


def _check_base(dataset: Dataset, asked: Corrections) -> None:
    if dataset.revision != asked.base_revision:
        detail = f"dataset {dataset.name!r} is at revision {dataset.revision_number} ({dataset.revision[:12]}) now"
        look = Hint("Look at the current one and decide again.", Instead("GET", f"/datasets/{dataset.name}/review"))
        raise StaleRevision(detail, look, field="body.base_revision", value=asked.base_revision[:12])


def _record(services: Services, base: Dataset, asked: Corrections, decisions: list[Decision], state: State) -> Job:
    """Put the job on record with what it applies; of two at once, one."""
    source = {"kind": SOURCE, "base_id": base.id, "base_revision": base.revision}
    payload = {"name": base.name, "source": source, "rule": base.label_rule}
    with services.sessions.begin() as session:
        lock_dataset(session, base.name)
        _check_base(get_dataset(session, base.name), asked)
        if (other := review_in_hand(session, base.name)) is not None:
            detail = f"job {other.id} makes the next revision of dataset {base.name!r} already"
            raise StateConflict(detail, Hint("Wait until it has ended.", Instead("GET", f"/jobs/{other.id}")))
        if state == State.QUEUED:
            # A revision has all its photos anew.
            check_bytes(session, services.settings, services.uploads, who_changes(), base.bytes or 0)
        job = queue_job(session, services.settings, kind="import", payload=payload, state=state)
        add_reviews(session, decisions, dataset=base.name, job_id=job.id, reviewer=asked.reviewer)
    return job
