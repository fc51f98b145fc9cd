from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from store.db.kept import (
    MOST_FEEDBACK,
    Filters,
    NewPrediction,
    add_predictions,
    feedback_of,
    forget_before,
    forget_old,
    forget_prediction,
    get_prediction,
    give_feedback,
    list_predictions,
)
from store.db.kept_tables import Feedback, KeptPrediction
from store.db.models import ModelVersion
from store.errors import NotFound
from tests.store.rows import make_run

Sessions = sessionmaker[Session]


def kept(session: Session, **columns: Any) -> UUID:  # noqa: ANN401 - any column
    """A kept prediction."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "answered_at": datetime.now(UTC),
        "sha256": "ab" * 32,
        "bytes": 900,
        "version": 1,
        "asked": "production",
        "breed": "Birman",
        "probability": 0.9,
        "top": [{"breed": "Birman", "probability": 0.9}],
        "sure": True,
        "known": None,
        "milliseconds": 12.5,
        "with_photo": False,
    }
    row = NewPrediction(**{**values, **columns})
    add_predictions(session, [row])
    return row.id


def listed(session: Session, **filters: Any) -> list[UUID]:  # noqa: ANN401 - any filter
    return [row.id for row in list_predictions(session, Filters(**filters)).items]


def test_the_same_again_is_written_once(sessions: Sessions) -> None:
    with sessions.begin() as session:
        one = kept(session)
    with sessions.begin() as session:
        kept(session, id=one, breed="pug")
        assert get_prediction(session, one).breed == "Birman"
        assert len(listed(session)) == 1


def test_each_filter_finds_its_own_and_its_opposite(sessions: Sessions) -> None:
    with sessions.begin() as session:
        plain, unsure = kept(session), kept(session, sure=False, known=True)
        strange = kept(session, known=False, version=2)
        right, wrong, none = kept(session), kept(session), kept(session)
        give_feedback(session, right, "Birman")
        give_feedback(session, wrong, "pug")
        give_feedback(session, none, None)
        everything = [none, wrong, right, strange, unsure, plain]
        assert listed(session) == everything
        for filters, found in (
            ({"unsure": True}, [unsure]),
            ({"unknown": True}, [strange]),
            ({"told": True}, [none, wrong, right]),
            ({"contradicted": True}, [none, wrong]),
            ({"version": 2}, [strange]),
        ):
            assert listed(session, **filters) == found, filters
            if "version" not in filters:
                turned = dict.fromkeys(filters, False)
                assert listed(session, **turned) == [one for one in everything if one not in found], turned
        assert listed(session, since=datetime.now(UTC) + timedelta(minutes=1)) == []


def test_pages_follow_each_other(sessions: Sessions) -> None:
    with sessions.begin() as session:
        ids = [kept(session) for _ in range(5)][::-1]
        first = list_predictions(session, Filters(), limit=3)
        rest = list_predictions(session, Filters(), limit=3, cursor=first.next_cursor)
        assert [row.id for row in [*first.items, *rest.items]] == ids
        assert rest.next_cursor is None


def test_the_last_word_counts_and_its_repetition_is_none(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session)
        session.add(ModelVersion(id=1, run_id=run.id))
        one = kept(session)
    for breed, is_known in (("pug", True), ("pug", True), ("quokka", False), (None, None)):
        with sessions.begin() as session:
            row = give_feedback(session, one, breed)
            assert (row.feedback_breed, row.of_vocabulary) == (breed, is_known)
            assert row.feedback_at is not None
    with sessions.begin() as session:
        assert [said.breed for said in feedback_of(session, get_prediction(session, one))] == [None, "quokka", "pug"]
        with pytest.raises(NotFound):
            give_feedback(session, uuid4(), "pug")


def test_however_many_speak_at_once_the_record_is_one_and_bounded(sessions: Sessions) -> None:
    with sessions.begin() as session:
        one = kept(session)

    def say(number: int) -> None:
        with sessions.begin() as session:
            give_feedback(session, one, f"breed {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(say, range(3 * MOST_FEEDBACK)))
    with sessions.begin() as session:
        row = get_prediction(session, one)
        history = feedback_of(session, row)
        assert len(history) == MOST_FEEDBACK
        assert (history[0].breed, history[0].given_at) == (row.feedback_breed, row.feedback_at)


def test_what_is_forgotten_takes_its_feedback_along(sessions: Sessions) -> None:
    with sessions.begin() as session:
        one, other = kept(session), kept(session)
        give_feedback(session, one, "pug")
        assert forget_prediction(session, one) == "ab" * 32
    with sessions.begin() as session:
        assert listed(session) == [other]
        assert session.scalars(select(Feedback.id)).all() == []
        with pytest.raises(NotFound):
            forget_prediction(session, one)


def test_the_old_and_what_is_too_much_goes(sessions: Sessions) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        ages = [10, 5, 1, 0, 0]
        ids = [kept(session, answered_at=now - timedelta(days=age)) for age in ages]
        assert forget_old(session, older_than=timedelta(days=8), most_rows=100) == 1
        assert listed(session) == ids[:0:-1]
        assert forget_old(session, older_than=timedelta(days=8), most_rows=3) == 1
        assert listed(session) == ids[:1:-1]
        assert forget_old(session, older_than=timedelta(days=8), most_rows=3) == 0
        assert forget_before(session, now - timedelta(hours=1)) == 1
        assert listed(session) == ids[:2:-1]
        assert session.scalar(select(KeptPrediction.number).limit(1)) is not None
