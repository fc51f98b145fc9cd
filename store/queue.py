"""Names and payloads of the queue: what the API and the repair process publish and what the worker answers to."""

import os
import re
from collections.abc import Collection

from celery import Celery
from kombu.exceptions import ChannelError

from store.lanes import Lane
from store.request_ids import MESSAGE_HEADER
from store.settings import Settings

# The train lane's queue has the name of the only one there was before there were lanes: messages of then are taken by
# workers of now, which send on what is of another lane.
QUEUES = {Lane.TRAIN: "pedigree", Lane.LIGHT: "pedigree.light"}
RUN_JOB = "pedigree.run_job"
"""The task of a job. Its one argument is the job's id; everything else is in the database."""

VISIBILITY_SECONDS = 24 * 3600
"""Redis hands an unacknowledged message out again after this long; a second delivery finds nothing to claim."""

CONNECTION = {
    "socket_timeout": 10.0,
    "socket_connect_timeout": 1.0,
    # One more try, at once: kombu's own take six seconds, in which whoever queues a job waits for the answer. What
    # cannot be published is left to the repair process.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}


SHELLS = re.compile(r"CELERY_\w+|APP|BROKER_URL|RESULT_BACKEND|LOADER|CONFIG_MODULE|SKIP_CHECKS")
"""Variables that Celery, or its command that a worker is started by, obeys before what its app is given."""


def make_celery(settings: Settings) -> Celery:
    """A Celery app with the queue contract's settings and no tasks of its own.

    What a shell has set for another Celery leaves this process's environment: the queue is that of the settings.
    """
    for name in [name for name in os.environ if SHELLS.fullmatch(name)]:
        del os.environ[name]
    app = Celery("pedigree", broker=settings.redis_url)
    app.conf.update(
        task_default_queue=QUEUES[Lane.TRAIN],
        task_ignore_result=True,
        task_acks_late=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS, **CONNECTION},
        enable_utc=True,
        timezone="UTC",
    )
    return app


def queues_of(lanes: Collection[Lane]) -> str:
    """What a worker of these lanes takes from, as Celery's ``--queues`` wants it."""
    return ",".join(QUEUES[lane] for lane in Lane if lane in lanes)


def publish_job(app: Celery, job_id: int, lane: Lane, request_id: str | None = None) -> None:
    """Tell the workers of a lane of a queued job, and of the request that queued it.

    Call it after the commit that made the job.

    Raises:
        kombu.exceptions.OperationalError: the broker is out of reach; the repair process will publish the job later.
    """
    headers = {} if request_id is None else {MESSAGE_HEADER: request_id}
    app.send_task(RUN_JOB, args=[job_id], retry=False, queue=QUEUES[lane], headers=headers)


def queue_length(app: Celery, lane: Lane) -> int:
    """Messages of a lane that no worker has taken yet.

    Raises:
        OSError, kombu.exceptions.KombuError, redis.exceptions.RedisError: the broker is out of reach.
    """
    with app.connection_for_read() as connection:
        try:
            return int(connection.channel().queue_declare(QUEUES[lane], passive=True).message_count)
        except ChannelError:
            return 0  # Redis forgets a list with its last element
