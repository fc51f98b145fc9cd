"""A search over settings, as the asynchronous client has it."""

from typing import TYPE_CHECKING, Any, Self

from pedigree import calls, schemas
from pedigree.async_run import AsyncRun, wait_for
from pedigree.search import RecordedSearch, rows_of
from pedigree.tables import as_table

if TYPE_CHECKING:
    from pedigree.async_client import AsyncClient


class AsyncSearch(RecordedSearch):
    """Trainings, one after the other, each with settings that those before it speak for."""

    def __init__(self, client: "AsyncClient", record: schemas.JobOut) -> None:
        super().__init__(record)
        self.client = client

    async def refresh(self) -> Self:
        return self._read(await self.client.send(calls.job(self.job)))

    async def wait(self, *, progress: bool = True) -> Self:
        """Follow it to its end.

        Raises:
            JobFailed: it failed or was cancelled.
            PedigreeError: the service stayed away.
        """
        return self._read(await wait_for(self.client, self.job, progress=progress))

    async def cancel(self) -> Self:
        """Stop it with its trials; resumed, they go on."""
        return self._read(await self.client.send(calls.cancel(self.job)))

    async def resume(self) -> Self:
        """Go on where a failed or cancelled one stopped."""
        return self._read(await self.client.send(calls.resume(self.job)))

    async def trials(self) -> Any:  # noqa: ANN401  # pandas may be absent
        """The trials with their settings, a DataFrame, or records where pandas is not installed."""
        return as_table(rows_of(await self.client.send(calls.trials(self.job))))

    async def best_run(self) -> AsyncRun | None:
        """The best trial's run."""
        return None if self.best is None else await self.client.runs.get(self.best.run)

    def _read(self, record: schemas.JobOut) -> Self:
        RecordedSearch.__init__(self, record)
        return self
