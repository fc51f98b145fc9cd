import pytest
from kombu.exceptions import OperationalError

from store.lanes import Lane
from store.queue import make_celery, publish_job
from store.settings import Settings


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere/redis.sock"])
def test_without_a_broker_publishing_fails_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    app = make_celery(settings.model_copy(update={"redis_url": url}))
    with pytest.raises(OperationalError):
        publish_job(app, 1, Lane.TRAIN)
    assert sum(slept) == 0
