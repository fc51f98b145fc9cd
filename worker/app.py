"""The Celery app of the workers: the queue contract's settings, nothing else."""

from store.queue import make_celery
from store.settings import load_settings

settings = load_settings()
app = make_celery(settings)
