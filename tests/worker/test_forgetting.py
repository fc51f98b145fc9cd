import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from celery import Celery
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.kept_tables import KeptPhoto, KeptPrediction
from store.kept_photos import KeptPhotos
from store.keys import PHOTOS, photo_key
from store.settings import Settings
from tests.store.test_kept import kept
from tests.store.test_kept_photos import BLUE, RED, hash_of
from worker.repair import Repair

Sessions = sessionmaker[Session]


def count(sessions: Sessions, table: type[KeptPrediction | KeptPhoto]) -> int:
    with sessions.begin() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_the_repair_process_forgets_what_is_too_old_with_its_photo(
    settings: Settings, sessions: Sessions, celery: Celery, artifacts: ArtifactStore
) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        for data, days in ((RED, 100), (BLUE, 1)):
            kept(session, answered_at=now - timedelta(days=days), sha256=hash_of(data), with_photo=True)
    photos = KeptPhotos(sessions, artifacts, 1000)
    for data in (RED, BLUE):
        photos.keep({hash_of(data): data})
    Repair(settings, sessions, celery, artifacts).clean()
    assert (count(sessions, KeptPrediction), count(sessions, KeptPhoto)) == (1, 1)
    assert [listed.key for listed in artifacts.keys_below(PHOTOS)] == [photo_key(hash_of(BLUE))]


def test_and_what_is_too_much(settings: Settings, sessions: Sessions, celery: Celery, artifacts: ArtifactStore) -> None:
    few = settings.model_copy(update={"keep_rows": 2, "keep_bytes": len(BLUE)})
    with sessions.begin() as session:
        for data in (b"the first", RED, BLUE):
            kept(session, sha256=hash_of(data), with_photo=True)
    for data in (RED, BLUE):
        KeptPhotos(sessions, artifacts, 1000).keep({hash_of(data): data})
    Repair(few, sessions, celery, artifacts).clean()
    assert count(sessions, KeptPrediction) == 2
    assert [listed.key for listed in artifacts.keys_below(PHOTOS)] == [photo_key(hash_of(BLUE))]


def test_a_photo_that_no_record_names_goes_after_a_day_and_what_is_no_photo_stays(
    settings: Settings, sessions: Sessions, celery: Celery, artifacts: ArtifactStore
) -> None:
    mine = f"{PHOTOS}mine.jpg"
    for key in (photo_key(hash_of(RED)), photo_key(hash_of(BLUE)), mine):
        artifacts.put_bytes(key, RED)
    folder = Path(urlsplit(settings.artifacts_url).path)
    for key in (photo_key(hash_of(RED)), mine):
        os.utime(folder / key, (time.time() - 2 * 86400,) * 2)
    Repair(settings, sessions, celery, artifacts).clean()
    left = {listed.key for listed in artifacts.keys_below(PHOTOS)}
    assert left == {photo_key(hash_of(BLUE)), mine}
