"""The table of what people decided about labels."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from store.db.base import Base


class LabelReview(Base):
    """One decision about one picture of a dataset; the latest of a picture counts."""

    __tablename__ = "label_reviews"
    __table_args__ = (Index("ix_label_reviews_dataset_sha256", "dataset", "sha256"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    dataset: Mapped[str] = mapped_column(Text)
    """Its name: a decision about a picture holds for later revisions too."""
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    """The import that makes a revision of the decisions, with the base revision in its payload."""
    action: Mapped[str] = mapped_column(Text)
    """relabel, drop, keep; or add: a photo that was sent to be predicted becomes an item."""
    sha256: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    """In the base revision; of a photo that was sent, where it will lie."""
    label_before: Mapped[str | None] = mapped_column(Text)
    label: Mapped[str | None] = mapped_column(Text)
    """From now on; null where it is dropped."""
    reviewer: Mapped[str | None] = mapped_column(Text)
    """Who says so, by the name that the request gave."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
