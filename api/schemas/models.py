"""Registered model versions and their aliases, in and out."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from api.schemas.fields import AliasName, Body, SentId
from store.db.models import ModelVersion


class RegisterRequest(Body):
    """Register a finished run to be served, and point an alias at it."""

    run: SentId
    alias: AliasName | None = None


class AliasRequest(Body):
    """Point an alias at a version."""

    version: SentId


class ModelOut(BaseModel):
    """A registered version. ``drawn`` is true where it learned from drawn pictures."""

    version: int
    run: int
    arch: str
    dataset: str
    drawn: bool
    error_rate: float | None
    aliases: list[str]
    created_at: datetime

    @classmethod
    def of(cls, version: ModelVersion, aliases: list[str]) -> Self:
        """From the record."""
        run = version.run
        return cls(
            version=version.id,
            run=run.id,
            arch=run.config["arch"],
            dataset=run.dataset.name,
            drawn=run.dataset.drawn,
            error_rate=run.error_rate,
            aliases=sorted(aliases),
            created_at=version.created_at,
        )


class AliasOut(BaseModel):
    """An alias and the version that it points at."""

    alias: str
    version: int
