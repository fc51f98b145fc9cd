"""Sessions of people who signed in, on record."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.access import Scope, digest_of
from store.db import sign_ins
from store.db.sign_ins import begin_sign_in, end_sign_in, sign_ins_on_record

HERE, ELSEWHERE = "https://id.example.org", "https://id.example.com"


def begin(session: Session, subject: str = "7", issuer: str = HERE, hours: float = 8) -> bytes:
    secret, _ = begin_sign_in(
        session,
        issuer=issuer,
        subject=subject,
        name=f"{subject}@id.example.org",
        scope=Scope.TRAIN,
        life=timedelta(hours=hours),
    )
    return digest_of(secret)


def digests(sessions: sessionmaker[Session], issuer: str = HERE) -> set[bytes]:
    with sessions.begin() as session:
        return {one.digest for one in sign_ins_on_record(session, issuer)}


def test_only_what_the_provider_that_is_set_vouched_for_holds(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        here, elsewhere = begin(session), begin(session, issuer=ELSEWHERE)
        begin(session, hours=-1)
    assert (digests(sessions), digests(sessions, ELSEWHERE)) == ({here}, {elsewhere})
    with sessions.begin() as session:
        end_sign_in(session, here)
        end_sign_in(session, here)
    assert (digests(sessions), digests(sessions, ELSEWHERE)) == (set(), {elsewhere})


def test_one_more_ends_the_oldest_of_a_person_and_of_all(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ins, "MOST_OF_PERSON", 2)
    monkeypatch.setattr(sign_ins, "MOST_SIGN_INS", 3)
    begun = []
    for subject in ("7", "8", "7", "7", "9"):
        with sessions.begin() as session:
            begun.append(begin(session, subject))
    # The first went for the third of that person, the second for the fourth of all.
    assert digests(sessions) == set(begun[2:])
