"""The table of how fast machines train."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from store.db.base import Base


class Throughput(Base):
    """How fast a machine trains a kind of model, measured with a few real steps on made-up pictures."""

    __tablename__ = "throughputs"
    __table_args__ = (Index("ix_throughputs_arch_id", "arch", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    arch: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    presize: Mapped[int]
    batch_size: Mapped[int]
    freeze: Mapped[bool]
    device: Mapped[str] = mapped_column(Text)
    precision: Mapped[str] = mapped_column(Text)
    precision_asked: Mapped[str] = mapped_column(Text)
    """What led to that precision: the same, or auto."""
    images_per_second: Mapped[float] = mapped_column(Double)
    """Training, at the median step."""
    valid_images_per_second: Mapped[float] = mapped_column(Double)
    step_images_per_second: Mapped[list[Any]]
    """Of every timed training step."""
    step_pictures: Mapped[int]
    """Pictures in a timed step: a batch, or the part of it that was timed on a slow machine."""
    accumulation: Mapped[int] = mapped_column(server_default=text("1"))
    """Parts that they were trained in: 2 where the memory did not hold a whole batch."""
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
