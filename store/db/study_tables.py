"""The tables of searches over settings: what was asked for, and the trials with what came of each.

A search is a job of kind ``search``; in the code it is a study, as a search is one for a learning rate.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, ForeignKey, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from store.db.base import Base, Json


class Study(Base):
    """What a search was asked, and how far it is."""

    __tablename__ = "studies"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    dataset_id: Mapped[int]
    """The revision that all its trials learn from. No foreign key: the job keeps it while it goes on."""
    name: Mapped[str | None] = mapped_column(Text)
    asked: Mapped[Json]
    """ml.study.plan.StudyPlan as JSON."""
    spent_seconds: Mapped[float] = mapped_column(Double, default=0.0, server_default=text("0"))
    """How long it was moved on, without the times in which nobody was there to do it."""
    ticked_at: Mapped[datetime | None]
    """When ``spent_seconds`` was counted last."""
    since_trial: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Trials that there were when it was begun or resumed last: what failed before says nothing of now."""
    ended_by: Mapped[str | None] = mapped_column(Text)
    """trials, time or space: what of it was used up. null before it has succeeded."""
    best_trial: Mapped[int | None]
    version: Mapped[int | None]
    """The number that the best trial's run was registered under."""


class StudyTrial(Base):
    """One trial of a search: the settings that were tried and what the search was told of it."""

    __tablename__ = "study_trials"
    __table_args__ = (UniqueConstraint("study_id", "number"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.job_id", ondelete="CASCADE"))
    number: Mapped[int]
    """From 1, in the order in which they were made."""
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), unique=True)
    """null where the settings did not fit each other, or the run was deleted since."""
    settings: Mapped[Json]
    """Dotted name and value of each field that is searched."""
    outcome: Mapped[str | None] = mapped_column(Text)
    """done, pruned, cut, failed, cancelled, stopped or refused; null while it goes on."""
    curve: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    """What the best trial has least of, after each epoch; complete once there is an outcome."""
    value: Mapped[float | None] = mapped_column(Double)
    """That of the whole trial."""
    answer_ms: Mapped[float | None] = mapped_column(Double)
    """Milliseconds that its model takes for the answer to one photo, where the search asks for that."""
    pruned_epoch: Mapped[int | None]
    """The epoch, from 1, after which the search ended it."""
    reason: Mapped[str | None] = mapped_column(Text)
    """In words, where it came to nothing."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
