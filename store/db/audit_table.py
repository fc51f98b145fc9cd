"""The table of changes: who changed what."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from store.db.base import Base, Json


class AuditEntry(Base):
    """One change that somebody asked for. It outlives what it is about."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_target", "target"), Index("ix_audit_request_id", "request_id"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    who: Mapped[str] = mapped_column(Text)
    """A key's name; local where no key was shown."""
    key_id: Mapped[int | None]
    operation: Mapped[str] = mapped_column(Text)
    """Method and path as the contract has it."""
    target: Mapped[str] = mapped_column(Text)
    """The path of what was changed, or made."""
    before: Mapped[Json | None]
    """What was, where it is small."""
    after: Mapped[Json | None]
    address: Mapped[str | None] = mapped_column(Text)
    """Where the request came from."""
    request_id: Mapped[str | None] = mapped_column(Text)
