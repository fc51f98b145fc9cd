"""A run of the synchronous client."""

import json
from collections.abc import Iterator
from time import sleep
from typing import TYPE_CHECKING, Any, Self

from pedigree import calls, schemas
from pedigree.errors import JobFailed, PedigreeError
from pedigree.events import FINAL, Event, Following
from pedigree.live import Live, display_for
from pedigree.record import RecordedRun
from pedigree.requests import interpretation
from pedigree.results import Confusion, RateSearch, TopLosses
from pedigree.tables import as_table, records_of
from pedigree.tags import as_kept

if TYPE_CHECKING:
    from pedigree.client import Client

MOST_STEPS_SHOWN = 400
POLL_SECONDS = 0.5


class Run(RecordedRun):
    """A training, or a search for a learning rate; its figures are read from the service when they are asked for."""

    def __init__(self, client: "Client", record: schemas.RunOut) -> None:
        super().__init__(record)
        self.client = client

    def refresh(self) -> Self:
        self.record = self.client.send(calls.run(self.id))
        return self

    def wait(self, *, progress: bool = True) -> Self:
        """Follow it to its end, showing how far it is; a connection that breaks is made again.

        Ctrl-C ends the waiting and leaves the run to itself.

        Raises:
            JobFailed: it failed or was cancelled.
            PedigreeError: the service stayed away.
        """
        wait_for(self.client, self.job, run=self.id, progress=progress)
        return self.refresh()

    def cancel(self) -> Self:
        """Stop it; what it has learned so far stays, so that it can be resumed."""
        self.client.send(calls.cancel(self.job))
        return self.refresh()

    def resume(self) -> Self:
        """Go on where a failed or cancelled one stopped."""
        self.client.send(calls.resume(self.job))
        return self.refresh()

    def rename(self, name: str | None) -> Self:
        """Give it a name for people in place of an earlier one; None takes it away."""
        return self._changed(name=name)

    def tag(self, *tags: str) -> Self:
        """Give it tags beside those that it has."""
        return self._changed(tags=[*self.refresh().record.tags, *tags])

    def untag(self, *tags: str) -> Self:
        """Take tags away; such as it does not have do no harm."""
        gone = {as_kept(tag) for tag in tags}
        return self._changed(tags=[tag for tag in self.refresh().record.tags if tag not in gone])

    def note(self, text: str | None) -> Self:
        """Write a note on it in place of an earlier one; None takes it away."""
        return self._changed(note=text)

    def delete(self, *, cascade: bool = False) -> None:
        """Delete it with its record and its files, for good; with ``cascade`` its version and interpretations too.

        Raises:
            PedigreeError: it is at work or serves, or more hangs on it than goes without ``cascade``.
        """
        self.client.send(calls.delete_run(self.id, cascade=cascade))

    @property
    def epochs(self) -> list[schemas.EpochOut]:
        """The table of epochs."""
        return self.client.send(calls.metrics(self.id, calls.EPOCHS_ONLY)).epochs

    @property
    def metrics(self) -> Any:  # noqa: ANN401  # pandas may be absent
        """The table of epochs as a DataFrame, or as records where pandas is not installed."""
        return as_table(records_of(self.epochs))

    @property
    def steps(self) -> Any:  # noqa: ANN401  # pandas may be absent
        """Loss, learning rates and momentum of each step; a DataFrame, or records where pandas is not installed."""
        batches = self.client.send(calls.metrics(self.id, calls.ALL_STEPS)).batches.model_dump()
        return as_table([dict(zip(batches, row, strict=True)) for row in zip(*batches.values(), strict=True)])

    @property
    def confusion(self) -> Confusion:
        """Which breeds it takes for which; ``confusion_on`` has choices."""
        return self.confusion_on()

    def confusion_on(self, dataset: str | None = None, *, min_val: int = 2) -> Confusion:
        """As ``confusion``, on a dataset that it was interpreted on; pairs count from ``min_val`` times on."""
        return Confusion(self.client.send(calls.confusion(self.id, min_val, dataset)))

    @property
    def top_losses(self) -> TopLosses:
        """The nine pictures that it was most wrong about; ``worst`` has choices."""
        return self.worst()

    def worst(self, k: int = 9, *, dataset: str | None = None, photos: bool = True) -> TopLosses:
        """The ``k`` pictures with the highest losses, with the photos for a notebook."""
        rows = self.client.send(calls.top_losses(self.id, k, dataset))
        shown = {row.item: self.client.send(calls.photo(self.id, row.item, dataset)) for row in rows if photos}
        return TopLosses(rows, shown)

    @property
    def predictions(self) -> Any:  # noqa: ANN401  # pandas may be absent
        """Its scores for each validation photo; a DataFrame, or records where pandas is not installed."""
        lines = self.client.send(calls.stored_predictions(self.id, None)).splitlines()
        return as_table([json.loads(line) for line in lines])

    def lr_find(self, *, name: str | None = None, progress: bool = True, **config: object) -> RateSearch:
        """Search a learning rate from this run's weights, and wait for it; its own settings unless others are given."""
        return self.client.lr_find(None, arch=None, from_run=self, name=name, progress=progress, **config)

    def interpret(self, *, tta: bool = False, dataset: str | None = None, progress: bool = True) -> Confusion:
        """Predict its pictures again, with ``tta`` averaged over changed copies, or another dataset's, and wait."""
        job = self.client.send(calls.queue(interpretation(self.id, tta=tta, dataset=dataset)))
        wait_for(self.client, job.id, run=self.id, progress=progress)
        return self.confusion_on(dataset)

    def rate_search(self, phase: int | None = None) -> RateSearch:
        """The search that this run is, or made before one of its phases (from 0)."""
        return RateSearch(self.client.send(calls.rates(self.id, phase)))

    def register(self, alias: str | None = None) -> schemas.ModelOut:
        """Make it a version that can be served."""
        return self.client.models.register(self, alias=alias)

    def _changed(self, **parts: object) -> Self:
        self.record = self.client.send(calls.change_run(self.id, **parts))
        return self

    def _repr_html_(self) -> str:
        return self._html(self.client.send(calls.metrics(self.id, self._thinned())))

    def _thinned(self) -> int:
        """Every how-many-th step is shown."""
        plan = self.record.plan or {}
        return max(1, int(plan.get("steps") or 0) // MOST_STEPS_SHOWN)


def number_of(run: RecordedRun | int) -> int:
    """A run's number."""
    return run.id if isinstance(run, RecordedRun) else run


def wait_for(client: "Client", job: int, *, run: int | None = None, progress: bool = True) -> schemas.JobOut:
    """Follow a job to its end and return it.

    Raises:
        JobFailed: it failed or was cancelled.
        PedigreeError: the service stayed away.
    """
    live, display = Live(job, run), display_for(progress=progress)
    try:
        for event in follow(client, job):
            live.hear(event)
            display.show(live)
        ended = client.send(calls.job(job))
    except KeyboardInterrupt:
        display.say(f"Job {job} goes on: client.wait({job}) follows it again, client.cancel({job}) stops it.")
        raise
    live.state = ended.state
    display.show(live)
    if ended.state != "succeeded":
        raise JobFailed(job, ended.state, None if ended.error is None else ended.error.model_dump())
    return ended


def follow(client: "Client", job: int) -> Iterator[Event]:
    """A job's events from its first to its last; where no stream can be had, its state is asked for.

    Raises:
        PedigreeError: there is no such job, or the service stayed away.
    """
    following = Following()
    while True:
        pause, is_whole = POLL_SECONDS, True
        try:
            yield from client.events(job, following)
        except PedigreeError as error:
            pause, is_whole = following.pause_after(error), False
        try:
            now = client.send(calls.job(job))
        except PedigreeError as error:
            pause = following.pause_after(error)
        else:
            following.answered()
            yield from state_of(now)
            if now.state in FINAL and following.has_all(is_whole=is_whole):
                return
        sleep(pause)


def state_of(job: schemas.JobOut) -> Iterator[Event]:
    """What a job's record says, as its stream would have told it."""
    yield Event("", "state", {"state": job.state})
    if job.progress is not None:
        yield Event("", "progress", job.progress.model_dump())
