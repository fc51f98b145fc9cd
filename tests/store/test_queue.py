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


def test_the_queue_is_that_of_the_settings_whatever_a_shell_has_for_another_celery(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "redis://127.0.0.1:9/0"
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "BROKER_URL"):
        monkeypatch.setenv(name, other)
    for name in ("CELERY_LOADER", "CELERY_CONFIG_MODULE", "CELERY_RESULT_BACKEND", "APP", "LOADER", "CONFIG_MODULE"):
        monkeypatch.setenv(name, "nonsense")
    app = make_celery(settings)
    assert {app.conf.broker_url, app.conf.broker_read_url, app.conf.broker_write_url} == {settings.redis_url}
    assert app.conf.result_backend is None
    # The command that a worker is started by has the same app, before it looks at its words.
    app.start(["report"])
