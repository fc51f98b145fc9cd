"""Runs: how they went and what can be read out of them. No route here runs a model."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from api.dependencies import ServicesDep
from api.http.tables import AS_CSV, CSV, TableRoute, wants_table
from api.runs.interpretations import ABOUT, StoredInterpretation
from api.runs.listing import page_of_runs, whole_run
from api.runs.stored_predictions import predictions_file
from api.runs.table import table_page, whole_table
from api.schemas.dataset_items import PHOTO
from api.schemas.describing import RunChange
from api.schemas.fields import DatasetName, Id, PageOut
from api.schemas.problem import problems
from api.schemas.run_query import RunFilters, RunListQuery
from api.schemas.runs import (
    Batches,
    ClassScoreOut,
    ConfusedOut,
    Confusion,
    EpochOut,
    Metrics,
    RunDataset,
    RunOut,
    RunSummary,
    TopLoss,
)
from ml.reading.metrics import macro_error, most_confused, per_class
from store.db.describing import describe_run
from store.db.read_items import trained_on_of, worst_items
from store.db.reading import (
    batches_of,
    count_steps,
    epochs_of,
    get_artifact,
    get_run,
    interpreted_dataset,
)
from store.db.thinned import thinned_batches
from store.keys import predictions_name

router = APIRouter(prefix="/runs", tags=["runs"], route_class=TableRoute)
whole = APIRouter(tags=["runs"])
"""What is beside the list, and not below it."""

RunId = Annotated[Id, Path()]
Interpreted = Annotated[
    DatasetName | None,
    Query(description="a dataset that the run was interpreted on; without it the run's own validation photos"),
]
MOST_STEPS = 2000
"""Of a run's figures where nobody says how many; the last of each phase come besides."""
EVERY = (
    "only every n-th step, and the last of each phase; 1: all. Without it all of a run with up to "
    f"{MOST_STEPS} steps, else about so many: of equal parts the first step, and those of the lowest and highest loss"
)
IMAGE_CACHE = "private, max-age=86400, immutable"


@router.get("", response_model=PageOut[RunSummary], responses=problems(400))
def list_the_runs(
    services: ServicesDep,
    query: Annotated[RunListQuery, Query()],
    accept: Annotated[str, Header(description="with `text/csv` the same runs as a table")] = "",
) -> PageOut[RunSummary] | Response:
    """Runs, newest first unless sorted otherwise. As a table the header `Link` has the address of the next page."""
    with services.sessions.begin() as session:
        page = page_of_runs(session, query.asked(), query.cursor, query.limit)
    return table_page(page, query) if wants_table(accept) else page


@whole.get("/runs.csv", response_class=StreamingResponse, responses={200: AS_CSV, **problems()})
def get_the_table_of_runs(services: ServicesDep, query: Annotated[RunFilters, Query()]) -> StreamingResponse:
    """All runs that the filters leave, as a table for a spreadsheet."""
    headers = {"Content-Disposition": 'attachment; filename="runs.csv"', "Cache-Control": "no-cache"}
    return StreamingResponse(whole_table(services.sessions, query.asked()), media_type=CSV, headers=headers)


@router.get("/{run_id}", responses=problems(404))
def get_a_run(run_id: RunId, services: ServicesDep) -> RunOut:
    """A run with its config as resolved, the dataset's revision, where it ran and what it left."""
    with services.sessions.begin() as session:
        return whole_run(session, get_run(session, run_id))


@router.patch("/{run_id}", responses=problems(404))
def change_a_run(run_id: RunId, change: RunChange, services: ServicesDep) -> RunOut:
    """Give a run a name, tags or a note; what is left out stays as it is."""
    with services.sessions.begin() as session:
        return whole_run(session, describe_run(session, run_id, change.parts()))


@router.get("/{run_id}/metrics", responses=problems(404))
def get_the_metrics(
    run_id: RunId,
    services: ServicesDep,
    every: Annotated[int | None, Query(ge=1, le=1_000_000, description=EVERY)] = None,
) -> Metrics:
    """The table of epochs and the steps, as far as the run has come.

    Of many steps some are sent: `every=1` asks for all.
    """
    with services.sessions.begin() as session:
        drawn = get_run(session, run_id).dataset.drawn
        epochs, steps = epochs_of(session, run_id), count_steps(session, run_id)
        if every is None:
            batches = thinned_batches(session, run_id, steps=steps, most=MOST_STEPS)
        else:
            batches = batches_of(session, run_id, every)
    return Metrics(
        epochs=[EpochOut.model_validate(epoch) for epoch in epochs],
        batches=Batches(
            step=[batch.step for batch in batches],
            phase=[batch.phase for batch in batches],
            raw_loss=[batch.raw_loss for batch in batches],
            train_loss=[batch.train_loss for batch in batches],
            lr=[batch.lr for batch in batches],
            momentum=[batch.momentum for batch in batches],
        ),
        steps=steps,
        drawn=drawn,
    )


@router.get("/{run_id}/confusion", responses=problems(404, 409))
def get_the_confusion(
    run_id: RunId,
    services: ServicesDep,
    min_val: Annotated[int, Query(ge=1, le=1_000_000, description="least count among the most confused")] = 1,
    dataset: Interpreted = None,
) -> Confusion:
    """The stored confusion matrix, rows actual and columns predicted, with the pairs most often confused."""
    with services.sessions.begin() as session:
        stored = StoredInterpretation.of(session, run_id, dataset, with_items=False)
        trained_on = trained_on_of(session, run_id, stored.dataset.id)
    found = stored.interpretation
    return Confusion.of_loss(
        stored.loss,
        dataset=RunDataset.of(stored.dataset),
        side=stored.side,
        tta=found.tta,
        trained_on=trained_on,
        vocab=found.vocab,
        matrix=found.matrix,
        n=sum(map(sum, found.matrix)),
        error_rate=found.error_rate,
        macro_error=macro_error(found.matrix),
        most_confused=[
            ConfusedOut(actual=one.actual, predicted=one.predicted, count=one.count)
            for one in most_confused(found.matrix, found.vocab, min_val)
        ],
        per_class=[
            ClassScoreOut(breed=one.breed, support=one.support, precision=one.precision, recall=one.recall, f1=one.f1)
            for one in per_class(found.matrix, found.vocab)
        ],
        drawn=stored.dataset.drawn,
    )


@router.get("/{run_id}/top-losses", responses={200: {"headers": ABOUT}, **problems(404, 409)})
def get_the_top_losses(
    run_id: RunId,
    services: ServicesDep,
    response: Response,
    k: Annotated[int, Query(ge=1, le=1000)] = 9,
    dataset: Interpreted = None,
) -> list[TopLoss]:
    """The photos that the model was most wrong about, worst first; the headers say what they are photos of."""
    with services.sessions.begin() as session:
        stored = StoredInterpretation.of(session, run_id, dataset, with_items=False)
        worst = worst_items(session, run_id, stored.dataset.id, k)
    response.headers.update(stored.headers())
    query = f"?dataset={dataset}" if dataset is not None else ""
    return [TopLoss(**item, image=f"/runs/{run_id}/items/{item['item']}/image{query}") for item in worst]


@router.get(
    "/{run_id}/predictions",
    response_class=FileResponse,
    responses={200: {"headers": ABOUT, "content": {"application/x-ndjson": {}}}, **problems(404, 409)},
)
def get_the_predictions(run_id: RunId, services: ServicesDep, dataset: Interpreted = None) -> FileResponse:
    """The stored scores as JSON lines, one row an item; the headers say what they are scores of."""
    with services.sessions.begin() as session:
        stored = StoredInterpretation.of(session, run_id, dataset, with_items=False)
        artifact = get_artifact(session, run_id, predictions_name(stored.dataset.id, stored.own_dataset_id))
    path = predictions_file(services.artifacts, services.settings.cache, artifact)
    return FileResponse(path, media_type="application/x-ndjson", headers=stored.headers())


@router.get("/{run_id}/items/{item}/image", response_class=Response, responses={**PHOTO, **problems(404, 409)})
def get_an_image(
    run_id: RunId,
    item: Annotated[int, Path(ge=-(2**63), lt=2**63, description="position in the dataset, from 0")],
    services: ServicesDep,
    dataset: Interpreted = None,
) -> Response:
    """The original picture of an item, as it was added to the dataset."""
    with services.sessions.begin() as session:
        revision = interpreted_dataset(session, run_id, dataset).revision
    photo = services.photos.photo(revision, item)
    # A run's own pictures never change; another dataset's name may be interpreted anew in a later revision.
    caching = IMAGE_CACHE if dataset is None else "private, no-cache"
    return Response(photo.data, media_type=photo.media_type, headers={"Cache-Control": caching})
