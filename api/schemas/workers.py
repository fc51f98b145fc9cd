"""The workers and what they do."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from api.schemas.jobs import JobProgress
from store.db.models import Job, Worker
from store.lanes import Lane, lane_of
from store.states import State


class WorkersJob(BaseModel):
    """The job that a worker has in hand."""

    job: int
    kind: str
    run: int | None
    state: State
    since: datetime | None
    progress: JobProgress | None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            job=job.id,
            kind=job.kind,
            run=job.run_id,
            state=State(job.state),
            since=job.started_at,
            progress=JobProgress.of(job),
        )


class WorkerOut(BaseModel):
    """A worker process that lives."""

    name: str
    host: str
    lanes: list[Lane]
    device: str | None = Field(description="its GPU, or its processor where it has none; null while not known")
    device_kind: Literal["gpu", "cpu"] | None
    memory_bytes: int | None = Field(description="of the GPU, or of the host")
    code_version: str | None = Field(description="of what it runs; null while not known")
    job: WorkersJob | None = Field(description="null: it is free")

    @classmethod
    def of(cls, worker: Worker, job: Job | None) -> Self:
        return cls(
            name=worker.name,
            host=_host(worker.name),
            lanes=[Lane(lane) for lane in worker.lanes],
            device=worker.device,
            device_kind=worker.device_kind,
            memory_bytes=worker.memory_bytes,
            code_version=worker.code_version,
            job=None if job is None else WorkersJob.of(job),
        )

    @classmethod
    def ending(cls, job: Job) -> Self:
        """A worker that takes nothing any more, known by the job that it still has in hand."""
        name = job.worker or "unknown"
        unknown = {"device": None, "device_kind": None, "memory_bytes": None, "code_version": None}
        return cls(name=name, host=_host(name), lanes=[lane_of(job.kind)], job=WorkersJob.of(job), **unknown)


class WorkersOut(BaseModel):
    """All that live."""

    code_version: str = Field(description="of what the API runs; a worker of another one should be started again")
    items: list[WorkerOut]


def _host(name: str) -> str:
    """A worker's name begins with its host's (``worker.lifecycle.Host.name``)."""
    return name.rpartition(":")[0] or name
