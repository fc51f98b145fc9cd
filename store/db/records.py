"""The write side of a run: what its worker learns while it trains and when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql import func

from store.db.base import Base, Json
from store.db.models import Artifact, Batch, Epoch, Interpretation, RateFind, Run
from store.db.storable import storable


def record_plan(
    session: Session,
    run_id: int,
    *,
    device: str,
    precision: str,
    precision_reason: str,
    weights: Json | None,
    versions: Json,
    plan: Json,
) -> None:
    """Keep where and how the run trains. ``weights`` is {"file", "sha256"}, None when trained from scratch."""
    values = {
        "device": device,
        "precision": precision,
        "precision_reason": precision_reason,
        "weights": weights,
        "versions": versions,
        "plan": plan,
    }
    session.execute(update(Run).where(Run.id == run_id).values(values))


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One training step: its smoothed and its own loss, and a rate for each group of parameters."""

    step: int
    phase: int
    raw_loss: float
    train_loss: float
    lr: Sequence[float]
    momentum: float


def record_batches(session: Session, run_id: int, steps: Sequence[StepRecord]) -> None:
    """Upsert steps."""
    if steps:
        _upsert(session, Batch, [_batch(run_id, step) for step in steps])


def record_epoch(
    session: Session,
    run_id: int,
    *,
    phase: int,
    epoch: int,
    train_loss: float,
    valid_loss: float,
    error_rate: float,
    seconds: float,
    images_per_second: float,
    peak_memory_bytes: int | None = None,
) -> None:
    """Upsert an epoch and let the run's own figures follow it."""
    figures = {"train_loss": train_loss, "valid_loss": valid_loss, "error_rate": error_rate}
    row = {
        "run_id": run_id,
        "phase": phase,
        "epoch": epoch,
        "seconds": seconds,
        "images_per_second": images_per_second,
        "peak_memory_bytes": peak_memory_bytes,
    }
    _upsert(session, Epoch, [row | figures])
    session.execute(update(Run).where(Run.id == run_id).values(figures))


def record_final(
    session: Session,
    run_id: int,
    *,
    valid_loss: float,
    error_rate: float,
    judgement: Json | None = None,
    answer_ms: float | None = None,
) -> None:
    """Keep what the finished run's validation says; the training loss stays the last epoch's."""
    values = {
        "valid_loss": valid_loss,
        "error_rate": error_rate,
        "judgement": storable(judgement),
        "answer_ms": answer_ms,
    }
    session.execute(update(Run).where(Run.id == run_id).values(values))


def record_added(session: Session, run_id: int, content: Json) -> None:
    """Keep what came of breeds that the run added to its parent's."""
    session.execute(update(Run).where(Run.id == run_id).values(added=storable(content)))


def forget_after_step(session: Session, run_id: int, step: int, *, steps: int) -> None:
    """Drop the batches from ``step`` on and the epochs that ended after it: made after the last kept checkpoint.

    The run's own figures go back to those of the last epoch that is left.

    Args:
        session: the caller's transaction.
        run_id: the run.
        step: finished steps at the checkpoint, over all phases.
        steps: of all phases together.
    """
    session.execute(delete(Batch).where(Batch.run_id == run_id, Batch.step >= step))
    phases = session.get_one(Run, run_id).config.get("phases", [])
    epochs = [(phase, epoch) for phase, about in enumerate(phases) for epoch in range(about["epochs"])]
    # The n-th epoch of all, counted from 1, ends at step n * steps / epochs.
    later = [epoch for n, epoch in enumerate(epochs, start=1) if n * steps > step * len(epochs)]
    mine = Epoch.run_id == run_id
    dropped = session.execute(
        delete(Epoch).where(mine, tuple_(Epoch.phase, Epoch.epoch).in_(later)).returning(Epoch.epoch)
    )
    if dropped.first() is not None:
        newest = select(Epoch).where(mine).order_by(Epoch.phase.desc(), Epoch.epoch.desc()).limit(1)
        last = session.scalars(newest).one_or_none()
        figures = {
            "train_loss": None if last is None else last.train_loss,
            "valid_loss": None if last is None else last.valid_loss,
            "error_rate": None if last is None else last.error_rate,
        }
        session.execute(update(Run).where(Run.id == run_id).values(figures))


def record_interpretation(
    session: Session,
    run_id: int,
    *,
    dataset_id: int,
    job_id: int,
    vocab: list[str],
    matrix: list[list[int]],
    items: list[dict[str, Any]],
    valid_loss: float,
    error_rate: float,
    tta: bool,
) -> None:
    """Keep the reading of a run's predictions on a dataset, in place of an earlier one.

    An infinite loss becomes null.
    """
    values = {
        "run_id": run_id,
        "dataset_id": dataset_id,
        "job_id": job_id,
        "vocab": vocab,
        "matrix": matrix,
        "items": storable(items),
        "valid_loss": valid_loss,
        "error_rate": error_rate,
        "tta": tta,
        "created_at": func.now(),
    }
    _upsert(session, Interpretation, [values])


def record_rate(
    session: Session, run_id: int, *, phase: int, rate: float | None, agreement: str, content: Json
) -> None:
    """Keep what the search for a learning rate before a phase gave, in place of an earlier attempt's."""
    values = {
        "run_id": run_id,
        "phase": phase,
        "rate": rate,
        "agreement": agreement,
        "content": storable(content),
        "created_at": func.now(),
    }
    _upsert(session, RateFind, [values])


def record_artifact(session: Session, run_id: int, name: str, *, key: str, sha256: str, size: int) -> None:
    """Keep where a file of the run lies; ``size`` in bytes."""
    values = {"run_id": run_id, "name": name, "key": key, "sha256": sha256, "bytes": size, "created_at": func.now()}
    _upsert(session, Artifact, [values])


def _batch(run_id: int, step: StepRecord) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "step": step.step,
        "phase": step.phase,
        "raw_loss": step.raw_loss,
        "train_loss": step.train_loss,
        "lr": list(step.lr),
        "momentum": step.momentum,
    }


def _upsert(session: Session, table: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert rows; one whose primary key is there already is replaced."""
    statement = insert(table).values(rows)
    keys = [column.name for column in table.__mapper__.primary_key]
    fresh = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=fresh))
