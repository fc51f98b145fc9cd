import pytest
from celery import Celery

from store.queue import make_celery
from store.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A stack that notices losses within a second or two."""
    return settings.model_copy(update={"lease_seconds": 2.0, "sweep_seconds": 0.3})


@pytest.fixture
def celery(settings: Settings) -> Celery:
    return make_celery(settings)
