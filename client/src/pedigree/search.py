"""A search over settings, as the synchronous client has it."""

from typing import TYPE_CHECKING, Any, Self

from pedigree import calls, schemas
from pedigree.errors import PedigreeError
from pedigree.run import Run, wait_for
from pedigree.tables import as_table

if TYPE_CHECKING:
    from pedigree.client import Client


class RecordedSearch:
    """A search as it was read last."""

    def __init__(self, record: schemas.JobOut) -> None:
        if record.study is None:
            raise PedigreeError(f"job {record.id} is no search", code="no_search")
        self.record, self.study = record, record.study

    @property
    def job(self) -> int:
        """Its job's number."""
        return self.record.id

    @property
    def state(self) -> schemas.State:
        """Where it stands."""
        return self.record.state

    @property
    def best(self) -> schemas.BestTrial | None:
        """The best trial so far."""
        return self.study.best

    @property
    def version(self) -> int | None:
        """The model version that the best became."""
        return self.study.version

    def __repr__(self) -> str:
        counts = self.study.counts
        best = "" if self.best is None else f", best {self.best.value:.4g} in run {self.best.run}"
        return f"<Search {self.job}: {self.state}, {counts.done} done, {counts.pruned} pruned{best}>"


class Search(RecordedSearch):
    """Trainings, one after the other, each with settings that those before it speak for."""

    def __init__(self, client: "Client", record: schemas.JobOut) -> None:
        super().__init__(record)
        self.client = client

    def refresh(self) -> Self:
        return self._read(self.client.send(calls.job(self.job)))

    def wait(self, *, progress: bool = True) -> Self:
        """Follow it to its end; Ctrl-C ends the waiting and leaves the search to itself.

        Raises:
            JobFailed: it failed or was cancelled.
            PedigreeError: the service stayed away.
        """
        return self._read(wait_for(self.client, self.job, progress=progress))

    def cancel(self) -> Self:
        """Stop it with its trials; resumed, they go on."""
        return self._read(self.client.send(calls.cancel(self.job)))

    def resume(self) -> Self:
        """Go on where a failed or cancelled one stopped."""
        return self._read(self.client.send(calls.resume(self.job)))

    @property
    def trials(self) -> Any:  # noqa: ANN401  # pandas may be absent
        """The trials with their settings, a DataFrame, or records where pandas is not installed."""
        return as_table(rows_of(self.client.send(calls.trials(self.job))))

    @property
    def best_run(self) -> Run | None:
        """The best trial's run."""
        return None if self.best is None else self.client.runs.get(self.best.run)

    def _read(self, record: schemas.JobOut) -> Self:
        RecordedSearch.__init__(self, record)
        return self


def rows_of(found: schemas.TrialsOut) -> list[dict[str, Any]]:
    """A row for each trial, with a column for each setting."""
    rows = []
    for trial in found.items:
        row = trial.model_dump()
        rows.append({"trial": row.pop("trial"), "run": row.pop("run"), **row.pop("settings"), **row})
    return rows
