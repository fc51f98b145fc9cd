from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from store.db import old_events
from store.db.jobs import append_event, change_state
from store.db.models import Job
from store.db.old_events import delete_old_events
from store.db.reading import events_after
from store.states import State
from tests.store.rows import ERROR, claimed, make_job

Sessions = sessionmaker[Session]
LIFE = timedelta(days=90)


def ended_job(session: Session, days: int) -> int:
    """A job with three events beside its changes of state, which failed so many days ago."""
    job_id = claimed(session, make_job(session).id).id
    for event in ("progress", "batch", "log"):
        append_event(session, job_id, event, {"message": "x"})
    change_state(session, job_id, State.FAILED, attempt=1, error=ERROR)
    ended = select(func.now() - timedelta(days=days)).scalar_subquery()
    session.execute(update(Job).where(Job.id == job_id).values(finished_at=ended))
    return job_id


def kinds(session: Session, job_id: int) -> list[str]:
    return [event.event for event in events_after(session, job_id, 0)]


def test_events_go_with_their_age_and_the_changes_of_state_stay(sessions: Sessions) -> None:
    with sessions.begin() as session:
        old, young = ended_job(session, 91), ended_job(session, 89)
        running = claimed(session, make_job(session).id).id
        append_event(session, running, "log", {"message": "x"})
        assert delete_old_events(session, older_than=LIFE) == 3
        assert kinds(session, old) == ["state", "state", "state"]
        assert kinds(session, young) == ["state", "state", "progress", "batch", "log", "state"]
        assert kinds(session, running) == ["state", "state", "log"]
        assert delete_old_events(session, older_than=LIFE) == 0


def test_no_transaction_deletes_more_than_a_part(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_events, "BATCH", 2)
    with sessions.begin() as session:
        ended_job(session, 91)
        assert [delete_old_events(session, older_than=LIFE) for _ in range(3)] == [2, 1, 0]
