"""The photos of a dataset, by breed, and each as it was added."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.dependencies import ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.schemas.dataset_items import PHOTO, DatasetItem
from api.schemas.fields import DatasetName, PageOut, Text
from api.schemas.problem import problems
from store.db.datasets import current_dataset, dataset_of_revision, get_dataset
from store.db.paging import check_limit, decode_cursor, make_page
from store.errors import NotFound, one_of

router = APIRouter(prefix="/datasets", tags=["datasets"], route_class=TableRoute)

Name = Annotated[DatasetName, Path()]
Revision = Annotated[
    Text | None, Query(max_length=64, description="of the dataset; the current one without it. Its photos never change")
]
IMAGE_CACHE = "private, max-age=86400, immutable"


@router.get("/{name}/items", responses=problems(400, 404))
def list_the_photos_of_a_dataset(
    name: Name,
    services: ServicesDep,
    part: SliceDep,
    breed: Annotated[str | None, Query(max_length=255, description="only its photos")] = None,
) -> PageOut[DatasetItem]:
    """The photos of the current revision, in the order of their paths."""
    with services.sessions.begin() as session:
        dataset = get_dataset(session, name)
    if breed is not None and breed not in dataset.vocab:
        raise NotFound(f"the dataset has no breed {breed[:80]!r}", "Name one of its vocabulary.", field="query.breed")
    limit = check_limit(part.limit)
    after = -1 if part.cursor is None else decode_cursor(part.cursor)[0]
    items = services.photos.bundle(dataset.revision).manifest.items
    rows = (
        (number, one)
        for number, one in enumerate(items[max(0, after + 1) :], max(0, after + 1))
        if breed is None or one.label == breed
    )
    page = make_page(list(islice(rows, limit + 1)), limit, lambda row: (row[0],))
    told = [DatasetItem.of(number, one, dataset=name, revision=dataset.revision) for number, one in page.items]
    return PageOut(items=told, next_cursor=page.next_cursor)


@router.get("/{name}/items/{item}/image", response_class=Response, responses={**PHOTO, **problems(404)})
def get_a_photo_of_a_dataset(
    name: Name,
    item: Annotated[int, Path(ge=-(2**63), lt=2**63, description="position in the dataset, from 0")],
    services: ServicesDep,
    revision: Revision = None,
) -> Response:
    """The photo as it was added."""
    with services.sessions.begin() as session:
        dataset = dataset_of_revision(session, name, revision) if revision else current_dataset(session, name)
    if dataset is None:
        of = f" with revision {revision!r}" if revision else ""
        raise NotFound(f"there is no dataset {name!r}{of}", one_of("datasets"))
    photo = services.photos.photo(dataset.revision, item)
    caching = IMAGE_CACHE if revision else "private, no-cache"
    return Response(photo.data, media_type=photo.media_type, headers={"Cache-Control": caching})
