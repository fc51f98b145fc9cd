"""Deleting a run: its rows in one transaction, and a note of its files that lasts until they are gone."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from store.db.audit import note
from store.db.dependents import about, check_deletable, dependents_of
from store.db.kept_tables import DriftCount, DriftReference
from store.db.lineage import cut_short
from store.db.models import (
    Artifact,
    DeletedRun,
    Interpretation,
    Job,
    ModelVersion,
    Run,
    ServingChoice,
    ShadowComparison,
)
from store.errors import NotFound, one_of
from store.keys import RunFile

BATCH = 100


def delete_run(session: Session, run_id: int, *, cascade: bool) -> DeletedRun:
    """Delete a run with its version, interpretations and jobs; the same again changes nothing.

    Children and the answers of predict jobs stay. Whoever was about to use the run has either done so before, and is
    seen here, or finds it gone.

    Raises:
        NotFound: there never was such a run.
        RunBusy, RunServing, RunNeeded: as :func:`store.db.dependents.check_deletable`.
    """
    # Jobs before the run: a worker that writes holds its job, and then asks for the run.
    held = session.scalars(select(Job.id).where(about(run_id)).order_by(Job.id).with_for_update(of=Job)).all()
    run = session.scalars(select(Run).where(Run.id == run_id).with_for_update(of=Run)).one_or_none()
    if run is None:
        return _deleted_before(session, run_id)
    version = session.scalar(select(ModelVersion.id).where(ModelVersion.run_id == run_id).with_for_update())
    check_deletable(dependents_of(session, run_id), cascade=cascade)
    gone = _note(session, run, version, held)
    note(before={"kind": run.kind, "name": run.name, "version": version})
    if version is not None:
        _delete_version(session, version)
    for rows in (
        delete(Interpretation).where(Interpretation.run_id == run_id),
        delete(Job).where(Job.run_id == run_id),
        delete(Run).where(Run.id == run_id),
    ):
        session.execute(rows, execution_options={"synchronize_session": False})
    session.expunge(run)
    return gone


def with_files(session: Session) -> Sequence[int]:
    """Deleted runs whose files may still lie in the artifact store, a part of them."""
    waiting = select(DeletedRun.id).where(DeletedRun.files_gone_at.is_(None))
    return session.scalars(waiting.order_by(DeletedRun.deleted_at).limit(BATCH)).all()


def note_files_gone(session: Session, run_id: int) -> None:
    """Of a deleted run nothing lies in the artifact store any more."""
    values = {"files": [], "files_gone_at": func.now()}
    session.execute(update(DeletedRun).where(DeletedRun.id == run_id).values(values))


def deleted_runs(session: Session, run_ids: Collection[int]) -> dict[int, DeletedRun]:
    """Those of the runs that were deleted, by number."""
    return {one.id: one for one in session.scalars(select(DeletedRun).where(DeletedRun.id.in_(run_ids)))}


def are_of(gone: DeletedRun, files: Iterable[RunFile]) -> list[str]:
    """Keys of those files that the deleted run left: its jobs' outputs, and checkpoints.

    What another job wrote below the same number is another database's.
    """
    own = {None, *gone.jobs}
    return [file.key for file in files if file.run_id == gone.id and file.job_id in own]


def _deleted_before(session: Session, run_id: int) -> DeletedRun:
    gone = session.get(DeletedRun, run_id)
    if gone is None:
        raise NotFound(f"there is no run {run_id}", one_of("runs"))
    return gone


def _note(session: Session, run: Run, version: int | None, jobs: Sequence[int]) -> DeletedRun:
    artifacts = session.execute(select(Artifact.key, Artifact.sha256).where(Artifact.run_id == run.id))
    files: list[Any] = [{"key": key, "sha256": sha256} for key, sha256 in artifacts]
    files += [{"key": one["key"], "sha256": None} for one in run.checkpoints or []]
    own = session.scalars(select(Job.id).where(Job.run_id == run.id, Job.id.in_(jobs))).all()
    gone = DeletedRun(
        id=run.id,
        kind=run.kind,
        name=run.name,
        dataset_id=run.dataset_id,
        parent_id=run.parent_id,
        config=run.config,
        error_rate=run.error_rate,
        finished_phases=cut_short(session, [run.id]).get(run.id),
        version=version,
        jobs=list(own),
        files=files,
    )
    session.add(gone)
    session.flush()
    return gone


def _delete_version(session: Session, version: int) -> None:
    """The version with what was measured of it. Moves of aliases stay: they tell what answered when."""
    compared = or_(ShadowComparison.version == version, ShadowComparison.against == version)
    for rows in (
        delete(ServingChoice).where(ServingChoice.version == version),
        delete(ShadowComparison).where(compared),
        delete(DriftCount).where(DriftCount.version == version),
        delete(DriftReference).where(DriftReference.version == version),
        delete(ModelVersion).where(ModelVersion.id == version),
    ):
        session.execute(rows, execution_options={"synchronize_session": False})
