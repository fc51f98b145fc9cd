"""What a backup says of itself: at its front who made it, at its end what is in it."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from store.errors import AppError

FORMAT = 1
"""Goes up when another version could not read what this one writes."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class BackupInvalid(AppError):
    """The file is no backup, or not the whole of one."""

    code = "backup_invalid"
    title = "Invalid backup"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Head(_Part):
    """The first thing in a backup: whether it can be read is known before anything else is."""

    format: int = Field(ge=1, le=10**6)
    pedigree: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{1,64}$")]
    """Version of the package that made it."""
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9]{4,8}$")]
    """Of the schema."""
    made_at: datetime = Field(strict=False)


class TablePart(_Part):
    """The rows of a table, as Postgres writes them in its text format."""

    name: Name
    columns: list[Name] = Field(max_length=200)
    rows: Count
    bytes: Count
    sha256: Sha256


class FilePart(_Part):
    """A file of the artifact store."""

    key: str = Field(max_length=500)
    bytes: Count
    sha256: Sha256


class Contents(_Part):
    """The last thing in a backup: everything that stands before it, in its order."""

    tables: list[TablePart] = Field(max_length=1000)
    sequences: dict[Name, Count]
    """The last number that each gave, so that none is given twice."""
    files: list[FilePart]
    missing: list[str]
    """Keys that the rows name and that the artifact store did not hold whole."""

    @property
    def file_bytes(self) -> int:
        """Of all files together."""
        return sum(file.bytes for file in self.files)


def read_head(text: bytes) -> Head:
    """The head.

    Raises:
        BackupInvalid: it is none, or one of a version that this one cannot read.
    """
    newer = re.match(rb'\{"format": ?([0-9]{1,6}),', text)
    if newer is not None and int(newer[1]) > FORMAT:
        raise BackupInvalid(
            f"the backup is of format {int(newer[1])}, and this version reads {FORMAT}",
            hint="Restore it with a newer version of Pedigree.",
        )
    try:
        return Head.model_validate_json(text)
    except ValidationError as error:
        raise BackupInvalid(f"the backup's head cannot be read: {_first(error)}", hint=OTHER) from None


def read_contents(text: bytes) -> Contents:
    """The list of what is in it.

    Raises:
        BackupInvalid: it is none.
    """
    try:
        return Contents.model_validate_json(text)
    except ValidationError as error:
        raise BackupInvalid(f"the backup's list of contents cannot be read: {_first(error)}", hint=OTHER) from None


OTHER = "Restore another backup."


def _first(error: ValidationError) -> str:
    fault = error.errors(include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]
