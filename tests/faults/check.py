"""What must hold when nothing runs any more: of jobs, their records and their files."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.db.models import Artifact, Batch, Dataset, Epoch, Interpretation, Job, JobEvent, Run
from store.db.study_tables import StudyTrial
from store.errors import ArtifactMissing
from store.keys import MODEL, bundle_key, manifest_key, read_run_file
from store.states import FINAL, MOVES, State
from tests.faults.work import TRIALS, Accepted, Work
from tests.faults.world import LOOK_SECONDS, World
from worker.unneeded import delete_unneeded

ANY_AGE = timedelta(days=-1)
SWEEP_SECONDS = 30.0
"""In which an attempt that another has replaced learns of it; what it stored until then is found afterwards."""


@dataclass(frozen=True)
class Finding:
    """Something that does not hold."""

    kind: Literal["lost", "doubled", "stuck", "wrong"]
    said: str


@dataclass(frozen=True)
class Twin:
    """What a training is that nothing happens to: its weights' hash, its epochs' and its batches' figures."""

    weights: str
    epochs: tuple[tuple[float, ...], ...]
    batches: tuple[tuple[float, ...], ...]


def twin_of(session: Session, run_id: int) -> Twin:
    """The figures of a finished run; what the clock says is none of them."""
    epochs = session.scalars(select(Epoch).where(Epoch.run_id == run_id).order_by(Epoch.phase, Epoch.epoch))
    batches = session.scalars(select(Batch).where(Batch.run_id == run_id).order_by(Batch.step))
    return Twin(
        session.get_one(Artifact, (run_id, MODEL)).sha256,
        tuple((one.phase, one.epoch, one.train_loss, one.valid_loss, one.error_rate) for one in epochs),
        tuple((one.step, one.phase, one.raw_loss, one.train_loss, one.momentum, *one.lr) for one in batches),
    )


def check(world: World, work: Work, twins: Sequence[Twin]) -> list[Finding]:
    """All that does not hold of a work that has ended."""
    with world.sessions.begin() as session:
        found = [*_of_jobs(session, work), *_of_runs(session, work.accepted, twins), *_of_events(session)]
    found += [Finding("wrong", f"an answer: {said}") for said in work.wrong_answers]
    return found + list(_of_files(world))


def _of_jobs(session: Session, work: Work) -> Iterator[Finding]:
    jobs = {job.id: job for job in session.scalars(select(Job))}
    for accepted in work.accepted:
        if accepted.job not in jobs:
            yield Finding("lost", f"job {accepted.job} ({accepted.what}) is not on record")
    for job in jobs.values():
        if State(job.state) not in FINAL:
            yield Finding("stuck", f"job {job.id} ({job.kind}) is {job.state}")
        if job.attempt > job.max_attempts:
            yield Finding("wrong", f"job {job.id} had {job.attempt} attempts of {job.max_attempts}")
    keys = Counter(job.idempotency_key for job in jobs.values() if job.idempotency_key is not None)
    yield from (Finding("doubled", f"{key}: {times} jobs") for key, times in keys.items() if times > 1)


def _of_runs(session: Session, accepted: Sequence[Accepted], twins: Sequence[Twin]) -> Iterator[Finding]:
    for one in accepted:
        job = session.get(Job, one.job)
        if job is None or job.state != State.SUCCEEDED:
            continue
        if one.config is not None and job.run_id is not None:
            yield from _of_training(session, job.run_id, twins[one.config])
        if one.what == "search":
            yield from _of_search(session, job.id)


def _of_training(session: Session, run_id: int, twin: Twin) -> Iterator[Finding]:
    found = twin_of(session, run_id)
    if len(found.batches) != len(twin.batches) or len(found.epochs) != len(twin.epochs):
        said = f"{len(found.epochs)} epochs and {len(found.batches)} steps"
        kind: Literal["lost", "doubled"] = "lost" if len(found.batches) < len(twin.batches) else "doubled"
        yield Finding(kind, f"run {run_id} has {said}, its twin {len(twin.epochs)} and {len(twin.batches)}")
    elif found.weights != twin.weights:
        yield Finding("wrong", f"run {run_id} has other weights than its twin")
    elif found != twin:
        yield Finding("wrong", f"run {run_id} has other figures than its twin")
    read = session.scalars(select(Interpretation).where(Interpretation.run_id == run_id)).all()
    if len(read) != 1:
        yield Finding("lost" if not read else "doubled", f"run {run_id} has {len(read)} interpretations")


def _of_search(session: Session, job_id: int) -> Iterator[Finding]:
    trials = session.scalars(select(StudyTrial).where(StudyTrial.study_id == job_id)).all()
    runs = {trial.run_id for trial in trials}
    if sorted(trial.number for trial in trials) != list(range(1, TRIALS + 1)) or len(runs) != TRIALS:
        yield Finding("doubled" if len(trials) > TRIALS else "lost", f"search {job_id} has {len(trials)} trials")


def _of_events(session: Session) -> Iterator[Finding]:
    """Each job's changes of state, one after the other as they are allowed, the last one where it stands."""
    said: dict[int, list[State]] = {}
    for event in session.scalars(select(JobEvent).where(JobEvent.event == "state").order_by(JobEvent.id)):
        said.setdefault(event.job_id, []).append(State(event.data["state"]))
    for job in session.scalars(select(Job)):
        states = said.get(job.id, [])
        if not states or states[-1] != job.state:
            yield Finding("wrong", f"job {job.id} is {job.state}, its events say {states}")
        for before, after in pairwise(states):
            if after not in MOVES[before]:
                yield Finding("wrong", f"job {job.id} went from {before} to {after}")


def _of_files(world: World) -> Iterator[Finding]:
    """Every file on record is whole; what nothing needs can be found and goes; what is left is on record."""
    with world.sessions.begin() as session:
        named = {one.key: one.sha256 for one in session.scalars(select(Artifact))}
        datasets = session.scalars(select(Dataset.revision)).all()
        answers = [one.payload.get("answers", {}) for one in session.scalars(select(Job).where(Job.kind == "predict"))]
        kept = {one["key"] for found in session.scalars(select(Run.checkpoints)) for one in found or []}
    for key, digest in named.items():
        try:
            content = world.artifacts.get_bytes(key)
        except ArtifactMissing:
            yield Finding("lost", f"{key} is on record and not in the store")
            continue
        if sha256(content).hexdigest() != digest:
            yield Finding("wrong", f"{key} has another content than the record says")
    needed = {*named, *(key(one) for one in datasets for key in (manifest_key, bundle_key))}
    needed |= {one["key"] for found in answers for one in found.values()}
    there = _swept(world, needed | kept)
    yield from (Finding("lost", f"{key} was needed and is gone") for key in needed - there)
    with world.sessions.begin() as session:
        for key in there - needed - kept:
            yield Finding("wrong", f"{key} is in the store and on no record{_job_of(session, key)}")


def _job_of(session: Session, key: str) -> str:
    """What became of the job that stored a file, where a job of ours did."""
    file = read_run_file(key)
    job = None if file is None or file.job_id is None else session.get(Job, file.job_id)
    return "" if job is None else f": job {job.id} is {job.state} in its attempt {job.attempt}"


def _swept(world: World, named: set[str]) -> set[str]:
    """What is in the store once what nothing needs has been deleted."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while True:
        delete_unneeded(world.artifacts, world.sessions, checkpoint_life=ANY_AGE, upload_life=ANY_AGE, life=ANY_AGE)
        there = {one.key for one in world.artifacts.keys_below("")}
        if there <= named or time.monotonic() > deadline:
            return there
        time.sleep(LOOK_SECONDS)
