"""The record of changes, out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from api.schemas.fields import ShortText
from store.db.audit import Filters
from store.db.audit_table import AuditEntry


@dataclass(frozen=True)
class AuditQuery:
    """Which changes are asked for."""

    who: Annotated[ShortText | None, Query(description="a key's name, or local")] = None
    operation: Annotated[ShortText | None, Query(description="method and path, as POST /jobs/{job_id}/cancel")] = None
    target: Annotated[ShortText | None, Query(description="the path of what was changed, as /jobs/12")] = None
    request_id: Annotated[ShortText | None, Query()] = None
    since: Annotated[AwareDatetime | None, Query(description="made then or later")] = None
    until: Annotated[AwareDatetime | None, Query(description="made before")] = None

    @property
    def filters(self) -> Filters:
        return Filters(
            who=self.who,
            operation=self.operation,
            target=self.target,
            request_id=self.request_id,
            since=self.since,
            until=self.until,
        )


class AuditOut(BaseModel):
    """One change."""

    id: int
    changed_at: datetime
    who: str = Field(description="the name of the key; local where no key was shown")
    key: int | None
    operation: str = Field(description="method and path, as in this document")
    target: str = Field(description="the path of what was changed, or made")
    before: dict[str, Any] | None = Field(description="what was, where it is small")
    after: dict[str, Any] | None
    address: str | None = Field(description="where the request came from")
    request_id: str | None

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        return cls(
            id=entry.id,
            changed_at=entry.changed_at,
            who=entry.who,
            key=entry.key_id,
            operation=entry.operation,
            target=entry.target,
            before=entry.before,
            after=entry.after,
            address=entry.address,
            request_id=entry.request_id,
        )
