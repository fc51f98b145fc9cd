"""The tables of who may use the service."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from store.db.base import Base


class AccessKey(Base):
    """A key. Its row stays when it is revoked: the record of changes names it."""

    __tablename__ = "keys"
    __table_args__ = (
        Index("uq_keys_name_not_revoked", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    """predict, train or admin."""
    digest: Mapped[bytes]
    """sha256 of the secret."""
    created_by: Mapped[str | None] = mapped_column(Text)
    """The key's name that made it, or local."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """To the minute or so: not every request writes it."""


class KeySession(Base):
    """A browser that showed a key, and keeps a secret of its own in its place."""

    __tablename__ = "key_sessions"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """sha256 of the session's secret."""
    key_id: Mapped[int] = mapped_column(ForeignKey("keys.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class SignIn(Base):
    """A person whom the identity provider vouched for, in one browser, until it ends."""

    __tablename__ = "sign_ins"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """sha256 of the session's secret."""
    issuer: Mapped[str] = mapped_column(Text)
    """Who vouched: of another provider than the one that is set, nothing holds."""
    subject: Mapped[str] = mapped_column(Text)
    """The provider's own name for the person, which stays when the e-mail address changes."""
    name: Mapped[str] = mapped_column(Text)
    """For people, with an @ in it: the e-mail address, or the subject and the provider's host."""
    scope: Mapped[str] = mapped_column(Text)
    """By the person's groups when they signed in."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
