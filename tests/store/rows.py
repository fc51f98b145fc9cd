"""Rows that a test needs to stand on."""

from typing import Any

from sqlalchemy.orm import Session

from store.db.datasets import add_dataset
from store.db.jobs import claim, create_job
from store.db.models import Dataset, Job, Run
from store.states import State

ERROR = {"code": "made_up", "detail": "for a test", "hint": None}


def make_dataset(session: Session, name: str = "pets", revision: str = "r1") -> Dataset:
    rule = {"kind": "regex", "regex": r"(.+)_\d+.jpg$"}
    return add_dataset(
        session,
        name=name,
        revision=revision,
        drawn=False,
        label_rule=rule,
        vocab=["Birman", "pug"],
        items=4,
        summary={"items": 4},
    )


def make_run(session: Session, *, dataset: str = "pets", kind: str = "train", **columns: Any) -> Run:  # noqa: ANN401 - any column
    columns.setdefault("config", {"arch": "resnet18", "seed": 42})
    run = Run(kind=kind, dataset_id=make_dataset(session, dataset).id, **columns)
    session.add(run)
    session.flush()
    return run


def make_job(session: Session, *, run_id: int | None = None, kind: str = "import", max_attempts: int = 3) -> Job:
    payload = {"name": "pets"} if kind == "import" else {}
    return create_job(session, kind=kind, run_id=run_id, payload=payload, max_attempts=max_attempts)


def claimed(session: Session, job_id: int, lease_seconds: float = 30.0) -> Job:
    job = claim(session, job_id, worker="w1", lease_seconds=lease_seconds)
    assert job is not None
    return job


def force_state(session: Session, job: Job, state: State) -> None:
    """Put a job into a state without asking whether the way there is allowed."""
    job.state = state
    session.flush()
