"""What people write on a run: its name, its tags and a note."""

from collections.abc import Mapping
from typing import Literal

from sqlalchemy.orm import Session

from store.db.audit import note
from store.db.models import Run
from store.db.reading import get_run, held_run

Part = Literal["name", "tags", "note"]


def describe_run(session: Session, run_id: int, parts: Mapping[Part, str | list[str] | None]) -> Run:
    """Change the parts that are given, and no other; None takes a name or a note away.

    Raises:
        NotFound: there is none of this id.
    """
    held_run(session, run_id)
    run = get_run(session, run_id)
    note(before={part: getattr(run, part) for part in parts}, after={str(part): value for part, value in parts.items()})
    for part, value in parts.items():
        setattr(run, part, value)
    session.flush()
    session.refresh(run)
    return run
