"""Keys and sessions, in and out."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from api.schemas.fields import Body, in_words
from ml.config_rules import refusal
from store.access import Scope
from store.db.access_tables import AccessKey

RESERVED = frozenset({"local"})
"""What the record of changes says where no key was shown."""


def _is_free(name: str) -> str:
    if name in RESERVED:
        raise refusal("the record of changes means something else by it", "Give another name.")
    return name


def _is_to_come(when: datetime) -> datetime:
    if when <= datetime.now(UTC):
        raise refusal("it has passed", "Give a time to come, or leave it out.")
    return when


KeyName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$", description="whose it is", examples=["annotators"]),
    in_words(
        "a name begins with a letter or a digit, and has only letters, digits, dots, dashes, underscores and @",
        "Give one of 64 characters at most, as alice or ci-runner.",
    ),
    AfterValidator(_is_free),
]


class NewKey(Body):
    """A key to make."""

    name: KeyName
    scope: Scope = Field(description="predict; train, which takes it in; or admin, which takes in both")
    expires_at: Annotated[AwareDatetime, AfterValidator(_is_to_come)] | None = Field(
        None, description="when it ends by itself; null: it does not"
    )


class KeyOut(BaseModel):
    """A key, without its secret, which nobody can read again."""

    id: int
    name: str
    scope: Scope
    state: Literal["in_use", "expired", "revoked"]
    created_by: str | None = Field(description="the name of the key that made it; local: the command on the machine")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="to the minute or so")

    @classmethod
    def of(cls, key: AccessKey) -> Self:
        return cls(**_parts(key))


class KeyMade(KeyOut):
    """A key that was just made."""

    key: str = Field(description="the key itself; it is shown this once")

    @classmethod
    def shown(cls, key: AccessKey, written: str) -> Self:
        return cls(**_parts(key), key=written)


class SessionOut(BaseModel):
    """Who the service takes the caller for."""

    is_open: bool = Field(description="no key is asked for; what the caller may do is not limited")
    key: str | None = Field(description="the name of the key that was shown, or of who signed in")
    scope: Scope
    expires_at: datetime | None = Field(description="of a browser's session that was just begun")


def _parts(key: AccessKey) -> dict[str, object]:
    names = ("id", "name", "scope", "created_by", "created_at", "expires_at", "revoked_at", "last_used_at")
    state = "in_use" if key.expires_at is None or key.expires_at > datetime.now(UTC) else "expired"
    return {name: getattr(key, name) for name in names} | {"state": state if key.revoked_at is None else "revoked"}
