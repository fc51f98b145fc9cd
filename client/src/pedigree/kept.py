"""What a service keeps, as the synchronous client has it: runs, datasets, versions, jobs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pedigree import calls, requests, schemas
from pedigree.calls import Value
from pedigree.packing import upload_form
from pedigree.results import Comparison, Png
from pedigree.run import Run, number_of, wait_for

if TYPE_CHECKING:
    from pedigree.client import Client

PAGE = 200
RunList: TypeAlias = list[schemas.RunSummary]
DatasetList: TypeAlias = list[schemas.DatasetSummary]
ModelList: TypeAlias = list[schemas.ModelOut]
JobList: TypeAlias = list[schemas.JobOut]
"""Named here: within the classes ``list`` is a method."""


class Runs:
    """Trainings and searches."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, run: int) -> Run:
        """A run by its number."""
        return Run(self._client, self._client.send(calls.run(run)))

    def list(
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
            page = self._client.send(
                calls.runs(dataset=dataset, arch=arch, state=state, kind=kind, sort=sort, limit=size, cursor=cursor)
            )
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def compare(self, *runs: Run | int) -> Comparison:
        """Runs beside each other, and what their configurations differ in."""
        return Comparison([self._client.send(calls.run(number_of(run))) for run in runs])


class Datasets:
    """Labelled pictures."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, name: str) -> schemas.DatasetOut:
        """A dataset: counts, sizes, what was left out and why, duplicates."""
        return self._client.send(calls.dataset(name))

    def list(self, *, limit: int = 200) -> DatasetList:
        """The datasets."""
        return self._client.send(calls.datasets(limit=min(limit, PAGE))).items

    def add(
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
            job = self._client.send(calls.builtin(name))
        else:
            form = upload_form(Path(path), requests.upload_fields(name, **labels))
            job = self._client.upload(form)
        wait_for(self._client, job.id, progress=progress)
        return self.get(name)

    def delete(self, name: str) -> None:
        """Delete a dataset with all its revisions and photos, for good.

        Raises:
            PedigreeError: runs hang on it.
        """
        self._client.send(calls.delete_dataset(name))

    def summary(self, name: str, *, item: int | None = None, **sizes: Value) -> schemas.ItemSteps:
        """One picture through every step, and whether a batch comes together: ``presize``, ``size``, ``resize``."""
        return self._client.send(calls.summary(name, item=item, **sizes))

    def batch(self, name: str, **choices: Value) -> Png:
        """A labelled batch as PNG: ``split``, ``augment``, ``n``, ``seed``."""
        return Png(self._client.send(calls.batch(name, **choices)))

    def presizing(self, name: str, *, item: int | None = None, seed: int | None = None) -> Png:
        """What presizing saves, as PNG."""
        return Png(self._client.send(calls.presizing(name, item=item, seed=seed)))


class Models:
    """Versions that can be served, and the aliases that point at them."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, version: int) -> schemas.ModelDetail:
        """A version, and what was measured to choose how it is run."""
        return self._client.send(calls.model(version))

    def list(self, *, limit: int = 50) -> ModelList:
        """The newest versions."""
        return self._client.send(calls.models(limit=min(limit, PAGE))).items

    def register(self, run: Run | int, *, alias: str | None = None) -> schemas.ModelOut:
        """Make a finished run a version; with ``alias="production"`` it answers from then on."""
        return self._client.send(calls.register(number_of(run), alias))

    def add_breeds(self, version: int, dataset: str, *, name: str | None = None) -> Run:
        """Add the breeds of a dataset to a version's, from a few photos of each; returns the run that does it.

        Once it has ended, its ``record.added`` tells the version that it is and the new breeds' error.
        """
        return self._client.run_of(self._client.send(calls.add_breeds(version, dataset, name)))

    def promote(self, version: int, alias: str = "production") -> schemas.AliasOut:
        """Point an alias at a version; no request is dropped."""
        return self._client.send(calls.point(alias, version))

    def rollback(self, alias: str = "production") -> schemas.AliasOut:
        """Point an alias at the version before."""
        return self._client.send(calls.roll_back(alias))

    def alias(self, name: str = "production") -> schemas.AliasOut:
        """Where an alias points."""
        return self._client.send(calls.alias(name))

    def feedback(self, prediction: str, breed: str | None) -> schemas.KeptPredictionWhole:
        """Say what a kept prediction's picture shows; None is none of the model's breeds."""
        return self._client.send(calls.feedback(prediction, breed))


class Jobs:
    """The queue."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, job: int) -> schemas.JobOut:
        """A job as it stands."""
        return self._client.send(calls.job(job))

    def list(
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
        return self._client.send(query).items
