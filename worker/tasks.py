"""The task: a shell around the life of a job."""

import threading

from celery.signals import worker_ready, worker_shutting_down

from store.db.session import make_engine, make_sessions
from store.lanes import Lane
from store.queue import RUN_JOB
from store.request_ids import MESSAGE_HEADER, following
from worker.app import app, settings
from worker.lifecycle import Host, run_job
from worker.presence import Presence

host = Host(
    settings=settings,
    sessions=make_sessions(make_engine(settings)),
    celery=app,
    stopping=threading.Event(),
)
presence = Presence(host)


@app.task(name=RUN_JOB)  # type: ignore[untyped-decorator]  # celery ships no types
def run(job_id: int) -> None:
    """Run the job, where it is still queued."""
    with following(run.request.get(MESSAGE_HEADER)):
        try:
            run_job(host, job_id)
        finally:
            get_ready()


def get_ready() -> None:
    """Have a process ready for the next job that learns, where this worker takes such."""
    if Lane.TRAIN in host.lanes and not host.stopping.is_set():
        host.ready.start()


@worker_ready.connect  # type: ignore[untyped-decorator]  # celery ships no types
def begin(**_: object) -> None:
    """Say that this worker takes jobs."""
    presence.start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # celery ships no types
def stop(**_: object) -> None:
    """Tell the running job to put its work down, and everybody that this worker takes no other."""
    host.stopping.set()
    presence.end()
