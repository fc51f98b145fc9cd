"""Datasets that go: whose runs are gone already, and whose files nothing else needs."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Select, case, cast, delete, func, or_, select, union_all
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, array
from sqlalchemy.orm import Session

from store.db.datasets import lock_dataset
from store.db.label_review_table import LabelReview
from store.db.models import Dataset, DeletedRun, Interpretation, Job, Run
from store.errors import Hint, NotFound, Request, StateConflict, one_of
from store.keys import bundle_key, manifest_key, revision_of_key
from store.states import FINAL

_SHOWN = 10
_ADDED = "$.added[*].revision"
"""Where a run's config has the datasets whose breeds were added."""


class DatasetInUse(StateConflict):
    """Runs or jobs hang on the dataset."""

    code = "dataset_in_use"
    title = "Dataset in use"


def delete_dataset(session: Session, name: str) -> list[str]:
    """Take a dataset with all its revisions off the record; the keys of its files, which another may have too.

    Raises:
        NotFound: there is no such dataset.
        DatasetInUse: runs were made with it, or a job is about it.
    """
    lock_dataset(session, name)
    revisions = {row.id: row.revision for row in session.scalars(select(Dataset).where(Dataset.name == name))}
    if not revisions:
        raise NotFound(f"there is no dataset {name!r}", one_of("datasets"))
    _check_runs(session, name, revisions)
    _check_deleted_runs(session, name, revisions)
    _check_jobs(session, name, revisions)
    session.execute(delete(Dataset).where(Dataset.id.in_(revisions)))
    # What was decided about its labels says nothing of another dataset that gets its name.
    session.execute(delete(LabelReview).where(LabelReview.dataset == name))
    return [key for revision in sorted(revisions.values()) for key in (manifest_key(revision), bundle_key(revision))]


def unknown_revisions(session: Session, revisions: Iterable[str]) -> set[str]:
    """Those that no dataset has."""
    asked = set(revisions)
    return asked - set(session.scalars(select(Dataset.revision).where(Dataset.revision.in_(asked))))


def unneeded_dataset_files(session: Session, keys: Collection[str]) -> list[str]:
    """Those of the keys that are files of a revision that no dataset has.

    While an import is under way there are none: it may be about to record the same pictures.
    """
    if session.scalar(select(Job.id).where(Job.kind == "import", Job.state.not_in(FINAL)).limit(1)) is not None:
        return []
    named = {key: revision for key in keys if (revision := revision_of_key(key)) is not None}
    gone = unknown_revisions(session, named.values())
    return [key for key, revision in named.items() if revision in gone]


def _check_runs(session: Session, name: str, revisions: Mapping[int, str]) -> None:
    read = select(Interpretation.run_id).where(Interpretation.dataset_id.in_(revisions))
    ways = {
        "": Run.dataset_id.in_(revisions),
        " (added its breeds)": _added_breeds_of(Run, revisions),
        " (was interpreted on it)": Run.id.in_(read),
        " (started from a deleted run on it)": Run.id.in_(_below_deleted(revisions)),
    }
    way = case(*((holds, how) for how, holds in ways.items()))
    runs = session.execute(select(Run.id, way).where(or_(*ways.values())).order_by(Run.id)).all()
    if not runs:
        return
    shown = _listed([f"{run}{how}" for run, how in runs])
    detail = f"{len(runs)} {'run hangs' if len(runs) == 1 else 'runs hang'} on dataset {name!r}: {shown}"
    # The list of a dataset's runs has none that hang on it in another way.
    is_in_list = not any(how for _, how in runs)
    path = f"/runs?dataset={name}" if is_in_list else f"/runs/{runs[0].id}"
    what = f"run{'' if len(runs) == 1 else 's'} {_listed([str(run) for run, _ in runs])}"
    raise DatasetInUse(detail, Hint(f"Delete {what} first.", Request("GET", path)))


def _listed(runs: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(runs) - _SHOWN
    return ", ".join(runs[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _learned_from(table: type[Run] | type[DeletedRun], revisions: Mapping[int, str]) -> ColumnElement[bool]:
    """Whether a run is of these datasets, or added their breeds to another's."""
    return or_(table.dataset_id.in_(revisions), _added_breeds_of(table, revisions))


def _added_breeds_of(table: type[Run] | type[DeletedRun], revisions: Mapping[int, str]) -> ColumnElement[bool]:
    added = func.jsonb_path_query_array(table.config, cast(_ADDED, JSONPATH), type_=JSONB)
    has_some: ColumnElement[bool] = added.has_any(array([*revisions.values()]))
    return has_some


def _below_deleted(revisions: Mapping[int, str]) -> Select[int]:
    """Runs that started from deleted ones on these datasets: what those were trained on must be known."""
    known = union_all(select(Run.id, Run.parent_id), select(DeletedRun.id, DeletedRun.parent_id)).subquery()
    below = select(DeletedRun.id).where(_learned_from(DeletedRun, revisions)).cte("below", recursive=True)
    below = below.union(select(known.c.id).join(below, known.c.parent_id == below.c.id))
    return select(below.c.id)


def _check_deleted_runs(session: Session, name: str, ids: Collection[int]) -> None:
    left = select(DeletedRun.id).where(DeletedRun.dataset_id.in_(ids), DeletedRun.files_gone_at.is_(None))
    run = session.scalar(left.order_by(DeletedRun.id).limit(1))
    if run is not None:
        detail = f"files of run {run} on dataset {name!r}, which was deleted, are not gone yet"
        raise DatasetInUse(detail, "Send it again in a moment.")


def _check_jobs(session: Session, name: str, ids: Collection[int]) -> None:
    about = or_(
        Job.payload["dataset_id"].astext.in_([str(one) for one in ids]),
        (Job.kind == "import") & (Job.payload["name"].astext == name),
    )
    job = session.scalar(select(Job.id).where(about, Job.state.not_in(FINAL)).order_by(Job.id).limit(1))
    if job is not None:
        detail = f"job {job} is about dataset {name!r} and has not ended"
        raise DatasetInUse(
            detail, Hint(f"Wait for the end of job {job}, or cancel it.", Request("GET", f"/jobs/{job}"))
        )
