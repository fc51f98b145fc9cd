from hashlib import sha256
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore, StoredFile
from store.db.kept import forget_prediction, give_feedback
from store.db.kept_photos import begin_photos, is_kept, on_record
from store.db.kept_tables import KeptPhoto
from store.kept_photos import KeptPhotos
from store.keys import PHOTOS, is_ours, photo_key, photo_of_key
from tests.store.test_kept import kept

Sessions = sessionmaker[Session]
RED, BLUE = b"a red photo", b"a blue one"


def hash_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def wanted(sessions: Sessions, data: bytes) -> UUID:
    """A prediction that asked for its photo to be kept; its id."""
    with sessions.begin() as session:
        return kept(session, sha256=hash_of(data), with_photo=True)


def stored(artifacts: ArtifactStore) -> list[str]:
    return sorted(listed.key for listed in artifacts.keys_below(PHOTOS))


def test_a_key_says_whose_photo_it_is() -> None:
    assert photo_of_key(photo_key(hash_of(RED))) == hash_of(RED)
    assert is_ours(photo_key(hash_of(RED)))
    assert photo_of_key("photos/aa/mine.jpg") is None


def test_a_photo_is_stored_once_and_goes_with_its_last_prediction(sessions: Sessions, artifacts: ArtifactStore) -> None:
    photos = KeptPhotos(sessions, artifacts, 1000)
    ids = [wanted(sessions, RED), wanted(sessions, RED)]
    for _ in ids:
        assert photos.keep({hash_of(RED): RED})
    assert stored(artifacts) == [photo_key(hash_of(RED))]
    for one, left in zip(ids, (1, 0), strict=True):
        with sessions.begin() as session:
            forgotten = forget_prediction(session, one)
        photos.drop([forgotten])
        assert len(stored(artifacts)) == left


def test_what_nobody_asked_for_is_not_stored(sessions: Sessions, artifacts: ArtifactStore) -> None:
    with sessions.begin() as session:
        kept(session, sha256=hash_of(RED), with_photo=False)
    KeptPhotos(sessions, artifacts, 1000).keep({hash_of(RED): RED})
    assert stored(artifacts) == []


def test_a_photo_that_is_forgotten_while_it_is_written_does_not_stay(
    sessions: Sessions, artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = wanted(sessions, RED)
    put = artifacts.put_bytes

    def slow_put(key: str, data: bytes) -> StoredFile:
        with sessions.begin() as session:
            forget_prediction(session, one)
        return put(key, data)

    monkeypatch.setattr(artifacts, "put_bytes", slow_put)
    KeptPhotos(sessions, artifacts, 1000).keep({hash_of(RED): RED})
    assert stored(artifacts) == []
    with sessions.begin() as session:
        assert not is_kept(session, hash_of(RED))


def test_the_oldest_go_first_but_those_that_people_spoke_of_last(sessions: Sessions, artifacts: ArtifactStore) -> None:
    photos = KeptPhotos(sessions, artifacts, 25)
    said = wanted(sessions, RED)
    with sessions.begin() as session:
        give_feedback(session, said, "pug")
    for data in (RED, BLUE, b"yet another"):
        wanted(sessions, data)
        assert photos.keep({hash_of(data): data})
    assert stored(artifacts) == sorted([photo_key(hash_of(RED)), photo_key(hash_of(b"yet another"))])
    wanted(sessions, b"x" * 26)
    assert not photos.keep({hash_of(b"x" * 26): b"x" * 26})


def test_a_writing_that_was_broken_off_is_cleaned_up_and_can_be_made_again(
    sessions: Sessions, artifacts: ArtifactStore
) -> None:
    photos = KeptPhotos(sessions, artifacts, 1000)
    wanted(sessions, RED)
    with sessions.begin() as session:
        assert begin_photos(session, {hash_of(RED): len(RED)})
    assert photos.drop_unwanted() == 0
    assert photos.keep({hash_of(RED): RED})
    with sessions.begin() as session:
        session.execute(update(KeptPhoto).values(is_stored=False, created_at="2020-01-01T00:00Z"))
    assert photos.drop_unwanted() == 1
    assert (stored(artifacts), photos.drop_unwanted()) == ([], 0)


def test_a_store_may_hold_more_photos_than_a_statement_has_parameters(
    sessions: Sessions, artifacts: ArtifactStore
) -> None:
    wanted(sessions, RED)
    KeptPhotos(sessions, artifacts, 1000).keep({hash_of(RED): RED})
    with sessions.begin() as session:
        assert on_record(session, [hash_of(RED), *(f"{number:064x}" for number in range(70_000))]) == {hash_of(RED)}
