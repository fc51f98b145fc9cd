"""What must hold before breeds are added to a version, and the run that adds them."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.jobs.job_checks import NAMED_BREEDS, no_dataset
from api.jobs.parents import parent_run
from api.schemas.new_breeds import AddBreedsRequest
from ml.config import AddedBreeds, ResolvedConfig
from ml.data.similar_labels import similar_groups
from ml.reading.added import LEAST_PHOTOS, MOST_PHOTOS
from store.db.datasets import current_dataset, dataset_of_revision, lock_dataset
from store.db.models import Dataset, Run
from store.db.reading import held_run
from store.db.registry import get_version, held_version
from store.errors import AppError, InvalidRequest

DATASET = "body.dataset"


class BreedsKnown(AppError):
    """The version knows a breed that is to be added."""

    status = 409
    code = "breeds_known"
    title = "Breeds known already"


def new_run(session: Session, version: int, request: AddBreedsRequest) -> Run:
    """The run that adds the dataset's breeds to the version's; its job is still to be queued.

    Raises:
        NotFound: no such version or dataset.
        BreedsKnown: the version knows one of the breeds, or one that is called nearly so.
        InvalidRequest: too few photos of a breed, or too many of all.
    """
    # The run before the version, as whoever deletes a run takes them.
    run_id = get_version(session, version).run_id
    held_run(session, run_id)
    held_version(session, version)
    parent = parent_run(session, run_id)
    # Until the run is there, which keeps it from being deleted.
    lock_dataset(session, request.dataset)
    dataset = current_dataset(session, request.dataset)
    if dataset is None:
        raise no_dataset(DATASET, request.dataset)
    _check_new(version, parent, dataset)
    config = ResolvedConfig.model_validate(parent.config)
    _check_photos(dataset, sum(_photos_of(session, one) for one in config.added))
    added = AddedBreeds(dataset=dataset.name, revision=dataset.revision, breeds=tuple(dataset.vocab))
    changes = {"recipe": "add_breeds", "phases": (), "added": (*config.added, added)}
    run = Run(
        kind="train",
        name=request.name,
        dataset_id=parent.dataset_id,
        parent_id=parent.id,
        config=config.model_copy(update=changes).model_dump(mode="json"),
    )
    session.add(run)
    session.flush()
    return run


def _check_new(version: int, parent: Run, dataset: Dataset) -> None:
    known = set(parent.vocab)
    alike = [group for group in similar_groups({*known, *dataset.vocab}) if known & {*group} and {*group} - known]
    pairs = [f"{min({*group} - known)!r} as {min(known & {*group})!r}" for group in alike]
    found = [*(repr(breed) for breed in dataset.vocab if breed in known), *pairs]
    if found:
        hint = "Name a dataset of new breeds alone; for more photos of a known one, train again with them."
        raise BreedsKnown(f"version {version} knows {_some(found)} already", hint, field=DATASET, value=dataset.name)


def _check_photos(dataset: Dataset, before: int) -> None:
    few = [breed for breed, photos in dataset.summary["per_breed"].items() if photos < LEAST_PHOTOS]
    if few:
        detail = f"it has fewer than {LEAST_PHOTOS} photos of {_some([repr(breed) for breed in few])}"
        hint = f"Give {LEAST_PHOTOS} or more of each breed; 5 are a beginning."
        raise InvalidRequest(detail, hint, field=DATASET, value=dataset.name)
    photos = dataset.items + before
    if photos > MOST_PHOTOS:
        earlier = f", with the {before} that were added before," if before else ""
        detail = f"it has {dataset.items} photos: more than {MOST_PHOTOS}{earlier} are not a few"
        raise InvalidRequest(detail, "Train a model with them.", field=DATASET, value=dataset.name)


def _photos_of(session: Session, added: AddedBreeds) -> int:
    found = dataset_of_revision(session, added.dataset, added.revision)
    return 0 if found is None else found.items


def _some(breeds: Sequence[str]) -> str:
    more = len(breeds) - NAMED_BREEDS
    return ", ".join(breeds[:NAMED_BREEDS]) + (f" and {more} more" if more > 0 else "")
