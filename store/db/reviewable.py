"""Which run's stored predictions a dataset's labels are weighed against."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.db.models import Artifact, Dataset, Interpretation, Job, Run
from store.db.reading import get_artifact, get_run, interpretation_of
from store.errors import Hint, NotReady, Request
from store.keys import predictions_name
from store.states import State


@dataclass(frozen=True)
class RunPredictions:
    """A run's stored predictions, and the revision of the dataset that they are of.

    ``is_validation`` says that the run was not trained on these pictures; else some of them may have been.
    """

    run: Run
    dataset: Dataset
    file: Artifact
    is_validation: bool


def predicted(session: Session, name: str, run_id: int | None) -> RunPredictions:
    """The predictions of a run; where none is named, of the dataset's training with the fewest errors, then the newest.

    They are those on its validation photos; of a run that was trained on another dataset, those on all of this one.

    Raises:
        NotFound, WrongKind, NotReady: as ``store.db.reading.interpretation_of``; or nothing was trained on it yet.
    """
    run = _best(session, name) if run_id is None else get_run(session, run_id)
    if run is None:
        train = Request("POST", "/jobs", {"kind": "train", "dataset": name})
        raise NotReady(f"no run has been trained on dataset {name!r} yet", Hint("Train one first.", train))
    is_own = run.dataset.name == name
    about = interpretation_of(session, run.id, None if is_own else name, with_items=False).dataset_id
    file = get_artifact(session, run.id, predictions_name(about, run.dataset_id))
    return RunPredictions(run, session.get_one(Dataset, about), file, is_own)


def _best(session: Session, name: str) -> Run | None:
    statement = (
        select(Run)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .join(Job, (Job.run_id == Run.id) & (Job.kind == "train"))
        .join(Interpretation, (Interpretation.run_id == Run.id) & (Interpretation.dataset_id == Run.dataset_id))
        .where(Dataset.name == name, Run.kind == "train", Job.state == State.SUCCEEDED)
        .order_by(Run.error_rate.asc().nulls_last(), Run.id.desc())
    )
    return session.scalars(statement.limit(1)).first()
