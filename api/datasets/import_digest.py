"""What an import is known by when it is asked for again with the same Idempotency-Key."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from api.schemas.datasets import ArchiveForm


def import_digest(fields: ArchiveForm, files: Mapping[str, Path]) -> str:
    """The same for equal forms, however they were written.

    An ``upload`` stands for its bytes, which may be gone by then: the import has taken them over.

    Args:
        fields: the form's.
        files: its parts that are files, by their names.
    """
    asked = {"fields": fields.model_dump(mode="json"), "files": {name: _sha256(path) for name, path in files.items()}}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
