"""What a service keeps, as the asynchronous client has it."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pedigree import calls, requests, schemas
from pedigree.async_run import AsyncRun, wait_for
from pedigree.calls import Value
from pedigree.kept import PAGE, DatasetList, JobList, ModelList, RunList
from pedigree.packing import upload_form
from pedigree.results import Comparison, Png
from pedigree.run import number_of

if TYPE_CHECKING:
    from pedigree.async_client import AsyncClient


class AsyncRuns:
    """Trainings and searches."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def get(self, run: int) -> AsyncRun:
        """A run by its number."""
        return AsyncRun(self._client, await self._client.send(calls.run(run)))

    async def list(
        self,
        *,
        dataset: str | None = None,
        arch: str | None = None,
        state: schemas.State | None = None,
        kind: str | None = None,
        best: bool = False,
        limit: int = 50,
    ) -> RunList:
        """The newest runs, or with ``best`` those with the lowest error rate."""
        sort = "error_rate" if best else None
        found: RunList = []
        cursor: str | None = None
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await self._client.send(
                calls.runs(dataset=dataset, arch=arch, state=state, kind=kind, sort=sort, limit=size, cursor=cursor)
            )
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    async def compare(self, *runs: AsyncRun | int) -> Comparison:
        """Runs beside each other, and what their configurations differ in."""
        return Comparison([await self._client.send(calls.run(number_of(run))) for run in runs])


class AsyncDatasets:
    """Labelled pictures."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def get(self, name: str) -> schemas.DatasetOut:
        """A dataset: counts, sizes, what was left out and why, duplicates."""
        return await self._client.send(calls.dataset(name))

    async def list(self, *, limit: int = 200) -> DatasetList:
        """The datasets."""
        return (await self._client.send(calls.datasets(limit=min(limit, PAGE)))).items

    async def add(
        self,
        name: str,
        path: str | os.PathLike[str] | None = None,
        *,
        progress: bool = True,
        **labels: Any,  # noqa: ANN401  # the form's fields
    ) -> schemas.DatasetOut:
        """Send a folder or an archive, wait until the service has taken it in, and return the dataset.

        Args:
            name: how it is to be called; without a path ``sample`` or ``oxford-iiit-pet``, which the service makes.
            path: a folder, or a zip or tar.
            progress: show how far it is.
            labels: where a picture's breed is told: ``label_from``, ``regex``, ``by_folder``, ``merge_labels``,
                ``encoding``.
        """
        if path is None:
            job = await self._client.send(calls.builtin(name))
        else:
            form = await asyncio.to_thread(upload_form, Path(path), requests.upload_fields(name, **labels))
            job = await self._client.upload(form)
        await wait_for(self._client, job.id, progress=progress)
        return await self.get(name)

    async def delete(self, name: str) -> None:
        """Delete a dataset with all its revisions and photos, for good.

        Raises:
            PedigreeError: runs hang on it.
        """
        await self._client.send(calls.delete_dataset(name))

    async def summary(self, name: str, *, item: int | None = None, **sizes: Value) -> schemas.ItemSteps:
        """One picture through every step, and whether a batch comes together: ``presize``, ``size``, ``resize``."""
        return await self._client.send(calls.summary(name, item=item, **sizes))

    async def batch(self, name: str, **choices: Value) -> Png:
        """A labelled batch as PNG: ``split``, ``augment``, ``n``, ``seed``."""
        content = await self._client.send(calls.batch(name, **choices))
        return Png(content)

    async def presizing(self, name: str, *, item: int | None = None, seed: int | None = None) -> Png:
        """What presizing saves, as PNG."""
        content = await self._client.send(calls.presizing(name, item=item, seed=seed))
        return Png(content)


class AsyncModels:
    """Versions that can be served, and the aliases that point at them."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def get(self, version: int) -> schemas.ModelDetail:
        """A version, and what was measured to choose how it is run."""
        return await self._client.send(calls.model(version))

    async def list(self, *, limit: int = 50) -> ModelList:
        """The newest versions."""
        return (await self._client.send(calls.models(limit=min(limit, PAGE)))).items

    async def register(self, run: AsyncRun | int, *, alias: str | None = None) -> schemas.ModelOut:
        """Make a finished run a version; with ``alias="production"`` it answers from then on."""
        return await self._client.send(calls.register(number_of(run), alias))

    async def add_breeds(self, version: int, dataset: str, *, name: str | None = None) -> AsyncRun:
        """Add the breeds of a dataset to a version's, from a few photos of each; returns the run that does it.

        Once it has ended, its ``record.added`` tells the version that it is and the new breeds' error.
        """
        return await self._client.run_of(await self._client.send(calls.add_breeds(version, dataset, name)))

    async def promote(self, version: int, alias: str = "production") -> schemas.AliasOut:
        """Point an alias at a version; no request is dropped."""
        return await self._client.send(calls.point(alias, version))

    async def rollback(self, alias: str = "production") -> schemas.AliasOut:
        """Point an alias at the version before."""
        return await self._client.send(calls.roll_back(alias))

    async def alias(self, name: str = "production") -> schemas.AliasOut:
        """Where an alias points."""
        return await self._client.send(calls.alias(name))

    async def feedback(self, prediction: str, breed: str | None) -> schemas.KeptPredictionWhole:
        """Say what a kept prediction's picture shows; None is none of the model's breeds."""
        return await self._client.send(calls.feedback(prediction, breed))


class AsyncJobs:
    """The queue."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def get(self, job: int) -> schemas.JobOut:
        """A job as it stands."""
        return await self._client.send(calls.job(job))

    async def list(
        self,
        *,
        state: schemas.State | None = None,
        kind: str | None = None,
        run: int | None = None,
        owner: str | None = None,
        limit: int = 50,
    ) -> JobList:
        """The newest jobs; with ``owner`` those that the key of this name posted."""
        query = calls.jobs(state=state, kind=kind, run=run, owner=owner, limit=min(limit, PAGE))
        return (await self._client.send(query)).items
