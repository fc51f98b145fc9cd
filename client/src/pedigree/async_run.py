"""A run of the asynchronous client."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self

from pedigree import calls, schemas
from pedigree.errors import JobFailed, PedigreeError
from pedigree.events import FINAL, Event, Following
from pedigree.live import Live, display_for
from pedigree.record import RecordedRun
from pedigree.requests import interpretation
from pedigree.results import Confusion, RateSearch, TopLosses
from pedigree.run import POLL_SECONDS, state_of
from pedigree.tables import as_table, records_of
from pedigree.tags import as_kept

if TYPE_CHECKING:
    from pedigree.async_client import AsyncClient


class AsyncRun(RecordedRun):
    """As ``Run``; what is read from the service is awaited, so that it has brackets."""

    def __init__(self, client: "AsyncClient", record: schemas.RunOut) -> None:
        super().__init__(record)
        self.client = client

    async def refresh(self) -> Self:
        self.record = await self.client.send(calls.run(self.id))
        return self

    async def wait(self, *, progress: bool = True) -> Self:
        """Follow it to its end; a cancelled task leaves the run to itself.

        Raises:
            JobFailed: it failed or was cancelled.
            PedigreeError: the service stayed away.
        """
        await wait_for(self.client, self.job, run=self.id, progress=progress)
        return await self.refresh()

    async def cancel(self) -> Self:
        """Stop it; what it has learned so far stays, so that it can be resumed."""
        await self.client.send(calls.cancel(self.job))
        return await self.refresh()

    async def resume(self) -> Self:
        """Go on where a failed or cancelled one stopped."""
        await self.client.send(calls.resume(self.job))
        return await self.refresh()

    async def rename(self, name: str | None) -> Self:
        """Give it a name for people in place of an earlier one; None takes it away."""
        return await self._changed(name=name)

    async def tag(self, *tags: str) -> Self:
        """Give it tags beside those that it has."""
        return await self._changed(tags=[*(await self.refresh()).record.tags, *tags])

    async def untag(self, *tags: str) -> Self:
        """Take tags away; such as it does not have do no harm."""
        gone = {as_kept(tag) for tag in tags}
        return await self._changed(tags=[tag for tag in (await self.refresh()).record.tags if tag not in gone])

    async def note(self, text: str | None) -> Self:
        """Write a note on it in place of an earlier one; None takes it away."""
        return await self._changed(note=text)

    async def delete(self, *, cascade: bool = False) -> None:
        """Delete it with its record and its files, for good; with ``cascade`` its version and interpretations too.

        Raises:
            PedigreeError: it is at work or serves, or more hangs on it than goes without ``cascade``.
        """
        await self.client.send(calls.delete_run(self.id, cascade=cascade))

    async def epochs(self) -> list[schemas.EpochOut]:
        """The table of epochs."""
        return (await self.client.send(calls.metrics(self.id, calls.EPOCHS_ONLY))).epochs

    async def metrics(self) -> Any:  # noqa: ANN401  # pandas may be absent
        """The table of epochs as a DataFrame, or as records where pandas is not installed."""
        return as_table(records_of(await self.epochs()))

    async def confusion(self, dataset: str | None = None, *, min_val: int = 2) -> Confusion:
        """Which breeds it takes for which."""
        return Confusion(await self.client.send(calls.confusion(self.id, min_val, dataset)))

    async def top_losses(self, k: int = 9, *, dataset: str | None = None, photos: bool = True) -> TopLosses:
        """The ``k`` pictures with the highest losses, with the photos for a notebook."""
        rows = await self.client.send(calls.top_losses(self.id, k, dataset))
        shown = {row.item: await self.client.send(calls.photo(self.id, row.item, dataset)) for row in rows if photos}
        return TopLosses(rows, shown)

    async def predictions(self) -> Any:  # noqa: ANN401  # pandas may be absent
        """Its scores for each validation photo; a DataFrame, or records where pandas is not installed."""
        lines = (await self.client.send(calls.stored_predictions(self.id, None))).splitlines()
        return as_table([json.loads(line) for line in lines])

    async def lr_find(self, *, name: str | None = None, progress: bool = True, **config: object) -> RateSearch:
        """Search a learning rate from this run's weights, and wait for it."""
        return await self.client.lr_find(None, arch=None, from_run=self, name=name, progress=progress, **config)

    async def interpret(self, *, tta: bool = False, dataset: str | None = None, progress: bool = True) -> Confusion:
        """Predict its pictures again, with ``tta`` averaged over changed copies, or another dataset's, and wait."""
        job = await self.client.send(calls.queue(interpretation(self.id, tta=tta, dataset=dataset)))
        await wait_for(self.client, job.id, run=self.id, progress=progress)
        return await self.confusion(dataset)

    async def rate_search(self, phase: int | None = None) -> RateSearch:
        """The search that this run is, or made before one of its phases (from 0)."""
        return RateSearch(await self.client.send(calls.rates(self.id, phase)))

    async def register(self, alias: str | None = None) -> schemas.ModelOut:
        """Make it a version that can be served."""
        return await self.client.models.register(self, alias=alias)

    async def _changed(self, **parts: object) -> Self:
        self.record = await self.client.send(calls.change_run(self.id, **parts))
        return self

    def _repr_html_(self) -> str:
        return self._html(None)


async def wait_for(client: "AsyncClient", job: int, *, run: int | None = None, progress: bool = True) -> schemas.JobOut:
    """Follow a job to its end and return it.

    Raises:
        JobFailed: it failed or was cancelled.
        PedigreeError: the service stayed away.
    """
    live, display = Live(job, run), display_for(progress=progress)
    try:
        async with aclosing(follow(client, job)) as events:
            async for event in events:
                live.hear(event)
                display.show(live)
    except asyncio.CancelledError:
        display.say(f"Job {job} goes on: client.wait({job}) follows it again, client.cancel({job}) stops it.")
        raise
    ended = await client.send(calls.job(job))
    live.state = ended.state
    display.show(live)
    if ended.state != "succeeded":
        raise JobFailed(job, ended.state, None if ended.error is None else ended.error.model_dump())
    return ended


async def follow(client: "AsyncClient", job: int) -> AsyncGenerator[Event]:
    """A job's events from its first to its last; where no stream can be had, its state is asked for.

    Raises:
        PedigreeError: there is no such job, or the service stayed away.
    """
    following = Following()
    while True:
        pause, is_whole = POLL_SECONDS, True
        try:
            async with aclosing(client.events(job, following)) as events:
                async for event in events:
                    yield event
        except PedigreeError as error:
            pause, is_whole = following.pause_after(error), False
        try:
            now = await client.send(calls.job(job))
        except PedigreeError as error:
            pause = following.pause_after(error)
        else:
            following.answered()
            for event in state_of(now):
                yield event
            if now.state in FINAL and following.has_all(is_whole=is_whole):
                return
        await asyncio.sleep(pause)
