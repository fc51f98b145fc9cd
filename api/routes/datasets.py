"""Datasets: what is there, how it looks, and bringing one in."""

import logging
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from api.datasets.looks import MAX_BATCH, Side
from api.dependencies import Services, ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.schemas.datasets import (
    CollatedOut,
    DatasetOut,
    DatasetSummary,
    ItemSteps,
    NearDuplicatesOut,
    StepOut,
)
from api.schemas.fields import DatasetName, PageOut
from api.schemas.problem import problems
from ml.config import TrainSettings
from ml.data.split import choose_split
from ml.look.contact_sheet import Scheme
from ml.look.labelled_batch import Shown
from store.dataset_files import delete_dataset_files
from store.db.dataset_deletion import delete_dataset
from store.db.datasets import get_dataset, list_datasets, runs_of_datasets
from store.db.models import Dataset
from store.errors import ArtifactMissing, InvalidRequest, ServiceUnavailable

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/datasets", tags=["datasets"], route_class=TableRoute)

Name = Annotated[DatasetName, Path()]
ValidPct = Annotated[float, Query(gt=0, lt=1, allow_inf_nan=False, description="share of the validation side")]
SplitSeed = Annotated[int, Query(ge=0, lt=2**63)]
Seed = Annotated[int, Query(ge=0, lt=2**63, description="the same seed gives the same image")]
SchemeQuery = Annotated[Scheme, Query(description="dark ink on white paper, or light ink on dark")]
Item = Annotated[int, Query(ge=-(2**63), lt=2**63, description="position in the dataset, from 0")]
SHOWN: dict[str, Shown] = {"true": "augmented", "false": "as_is", "both": "both"}
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "the image"}}


@router.get("", responses=problems(400))
def list_the_datasets(services: ServicesDep, part: SliceDep) -> PageOut[DatasetSummary]:
    """The current revision of each dataset."""
    with services.sessions.begin() as session:
        page = list_datasets(session, cursor=part.cursor, limit=part.limit)
        runs = runs_of_datasets(session, [one.name for one in page.items])
    items = [DatasetSummary.of(one, runs.get(one.name, 0)) for one in page.items]
    return PageOut(items=items, next_cursor=page.next_cursor)


@router.get("/{name}", responses=problems(404, 429))
def get_a_dataset(
    name: Name, services: ServicesDep, valid_pct: ValidPct = 0.2, split_seed: SplitSeed = 42
) -> DatasetOut:
    """A dataset: vocabulary, count per breed, sizes, the files that were left out with the reason, and its duplicates.

    `near_duplicates` are pairs of items whose images are equal or nearly so: across the split of `valid_pct` and
    `split_seed`, under different labels, and anywhere.
    """
    dataset = _dataset(services, name)
    with services.sessions.begin() as session:
        runs = runs_of_datasets(session, [name]).get(name, 0)
    try:
        found = services.looks.near_duplicates(dataset)
    except (ArtifactMissing, ServiceUnavailable) as error:
        return DatasetOut.with_near_duplicates(dataset, runs, None, error.detail)
    valid = choose_split(found.manifest, TrainSettings(valid_pct=valid_pct, split_seed=split_seed)).valid
    pairs = NearDuplicatesOut.of(found.pairs, found.manifest, valid, valid_pct=valid_pct, split_seed=split_seed)
    return DatasetOut.with_near_duplicates(dataset, runs, pairs)


@router.delete("/{name}", status_code=204, response_class=Response, responses=problems(404, 409))
def delete_a_dataset(name: Name, services: ServicesDep) -> Response:
    """Delete a dataset with all its revisions and files. While runs hang on it, it stays: the answer says which."""
    with services.sessions.begin() as session:
        keys = delete_dataset(session, name)
    try:
        delete_dataset_files(services.artifacts, services.sessions, keys)
    except ServiceUnavailable as error:
        # It is off the record, and the repair process deletes its files when the store is back.
        logger.warning("files of dataset %s are left to be deleted later: %s", name, error.detail)
    return Response(status_code=204)


@router.get("/{name}/batch.png", response_class=Response, responses={**PNG, **problems(400, 404, 429)})
def get_a_batch(
    name: Name,
    services: ServicesDep,
    *,
    split: Annotated[Side, Query(description="the side that the images are taken from")] = "train",
    augment: Annotated[
        Literal["true", "false", "both"], Query(description="as in training, as they are, or both, one below the other")
    ] = "both",
    n: Annotated[int, Query(ge=1, le=MAX_BATCH, description="images")] = 9,
    seed: Seed = 0,
    valid_pct: ValidPct = 0.2,
    split_seed: SplitSeed = 42,
    scheme: SchemeQuery = "light",
) -> Response:
    """A labelled batch: images in the order and with the draws of the first step of a run with this seed."""
    dataset = _dataset(services, name)
    settings = TrainSettings(seed=seed, valid_pct=valid_pct, split_seed=split_seed)
    return _png(services.looks.batch(dataset, split, n, settings, SHOWN[augment], scheme))


@router.get("/{name}/presizing.png", response_class=Response, responses={**PNG, **problems(404, 429)})
def get_the_presizing(
    name: Name, services: ServicesDep, item: Item = 0, seed: Seed = 0, scheme: SchemeQuery = "light"
) -> Response:
    """The same strong changes of one item, by one interpolation and step by step, with a detail magnified."""
    return _png(services.looks.presizing(_dataset(services, name), item, seed, TrainSettings(), scheme))


@router.get("/{name}/summary", responses=problems(400, 404, 429))
def get_the_steps_of_an_item(
    name: Name,
    services: ServicesDep,
    item: Item = 0,
    presize: Annotated[int, Query(ge=32, le=1024, description="side of the presized square, pixels")] = 460,
    size: Annotated[int, Query(ge=32, le=1024, description="side of the model's input, pixels")] = 224,
    resize: Annotated[bool, Query(description="false: what happens where no resize is asked for")] = True,
    seed: Seed = 0,
) -> ItemSteps:
    """One item through every step, with type, shape, dtype and range of values.

    Where items cannot be put into one batch, their shapes, the reason and the one thing to add.
    """
    if size > presize:
        hint = "Raise presize or lower size."
        raise InvalidRequest(f"it is larger than presize {presize}", hint, field="query.size", value=size)
    dataset = _dataset(services, name)
    settings = TrainSettings(presize=presize, size=size, seed=seed)
    passage = services.looks.steps(dataset, item, settings, resize=resize)
    return ItemSteps(
        dataset=dataset.name,
        drawn=dataset.drawn,
        item=item,
        path=passage.path,
        steps=[StepOut.model_validate(step) for step in passage.steps],
        collated=CollatedOut.model_validate(passage.collated),
    )


def _dataset(services: Services, name: str) -> Dataset:
    with services.sessions.begin() as session:
        return get_dataset(session, name)


def _png(picture: bytes) -> Response:
    # A dataset's name may come to mean other images.
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, no-cache"})
