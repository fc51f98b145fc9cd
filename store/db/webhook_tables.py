"""The tables of webhooks: whom to tell, and what was told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from store.db.base import Base, Json


class Webhook(Base):
    """An address that is told when jobs end."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)
    """As the receiver has it: signing takes the secret itself, no hash will do."""
    events: Mapped[list[Any] | None] = mapped_column(ARRAY(Text))
    """Of which it is told; null: of all."""
    kinds: Mapped[list[Any] | None] = mapped_column(ARRAY(Text))
    """Of which kinds of jobs; null: of all."""
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    gone_at: Mapped[datetime | None]
    """When it answered 410; nothing more is put on record for it."""


class WebhookDelivery(Base):
    """What one webhook is told of one end, written in the transaction in which the job ends."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_waiting", "webhook_id", "next_try_at", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    message: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    event: Mapped[str] = mapped_column(Text)
    body: Mapped[Json] = mapped_column(postgresql.JSON)
    """As it was made, in its order."""
    state: Mapped[str] = mapped_column(Text, server_default="waiting")
    """waiting, delivered or failed."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    """Tries that were begun."""
    status: Mapped[int | None]
    """Of the last answer."""
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last try had no answer."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    tried_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    """While a try is under way, when it counts as lost; null once it has ended."""

    @property
    def message_id(self) -> str:
        """Its webhook-id, by which a receiver knows a second try of it."""
        return f"msg_{self.message.hex}"
