"""Requests as values: what is asked and what type comes back, so that both clients only differ in how they send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import uuid4

from pedigree import routes, schemas
from pedigree.routes import Route
from pedigree.wire import part_of_path

T = TypeVar("T")
Value: TypeAlias = str | int | float | bool | None
Query = Mapping[str, Value]
REPEATABLE = {"GET", "PUT", "DELETE"}


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request.

    Attributes:
        route: where it goes.
        answer: what its JSON is read as; ``bytes`` for the content as it is.
        places: what stands in the path's places.
        query: its parameters; those that are None are left out.
        body: is sent as JSON.
        key: with it the service does a repeated request only once.
        harmless: a POST that may be repeated all the same.
    """

    route: Route
    answer: type[T]
    places: Mapping[str, str | int] = field(default_factory=dict)
    query: Query = field(default_factory=dict)
    body: Any = None
    key: str | None = None
    harmless: bool = False

    @property
    def path(self) -> str:
        """The path with its places filled.

        Raises:
            PedigreeError: a name cannot stand in one.
        """
        return self.route.path.format(**{name: part_of_path(value) for name, value in self.places.items()})

    @property
    def params(self) -> dict[str, str]:
        """The query, without what was not given."""
        return {name: _word(value) for name, value in self.query.items() if value is not None}

    @property
    def headers(self) -> dict[str, str]:
        """The key, where there is one."""
        return {} if self.key is None else {"Idempotency-Key": self.key}

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice is the same as once."""
        return self.route.method in REPEATABLE or self.key is not None or self.harmless


def _word(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def job(number: int) -> Call[schemas.JobOut]:
    """A job as it stands."""
    return Call(routes.JOB, schemas.JobOut, {"job_id": number})


def queue(body: Mapping[str, Any]) -> Call[schemas.JobOut]:
    """A new job; sent again after a broken connection, it is still one job."""
    return Call(routes.QUEUE, schemas.JobOut, body=body, key=uuid4().hex)


def dry_run(body: Mapping[str, Any]) -> Call[schemas.DryRun]:
    """What a job would be, and how long it would take."""
    return Call(routes.QUEUE, schemas.DryRun, query={"dry_run": True}, body=body, harmless=True)


def cancel(number: int) -> Call[schemas.JobOut]:
    """Stop a job."""
    return Call(routes.CANCEL, schemas.JobOut, {"job_id": number})


def resume(number: int) -> Call[schemas.JobOut]:
    """Queue a failed or cancelled job again."""
    return Call(routes.RESUME, schemas.JobOut, {"job_id": number})


def trials(number: int) -> Call[schemas.TrialsOut]:
    """What a search has tried."""
    return Call(routes.TRIALS, schemas.TrialsOut, {"job_id": number})


def jobs(**query: Value) -> Call[schemas.PageOutJobOut]:
    """A page of jobs."""
    return Call(routes.LIST_JOBS, schemas.PageOutJobOut, query=query)


def run(number: int) -> Call[schemas.RunOut]:
    """A run's whole record."""
    return Call(routes.RUN, schemas.RunOut, {"run_id": number})


def runs(**query: Value) -> Call[schemas.PageOutRunSummary]:
    """A page of runs."""
    return Call(routes.LIST_RUNS, schemas.PageOutRunSummary, query=query)


def change_run(number: int, **parts: object) -> Call[schemas.RunOut]:
    """Give a run another ``name``, ``tags`` or ``note``; a part that is not named stays."""
    return Call(routes.CHANGE_RUN, schemas.RunOut, {"run_id": number}, body=parts, harmless=True)


def delete_run(number: int, *, cascade: bool) -> Call[bytes]:
    """Delete a run, with ``cascade`` what hangs on it too; nothing comes back."""
    return Call(routes.DELETE_RUN, bytes, {"run_id": number}, {"cascade": cascade})


ALL_STEPS = 1
EPOCHS_ONLY = 1_000_000
"""So that of the steps hardly one is sent."""


def metrics(number: int, every: int) -> Call[schemas.Metrics]:
    """A run's epochs, and each ``every``-th of its steps."""
    return Call(routes.METRICS, schemas.Metrics, {"run_id": number}, {"every": every})


def confusion(number: int, min_val: int, dataset: str | None) -> Call[schemas.Confusion]:
    """What a run confuses."""
    return Call(routes.CONFUSION, schemas.Confusion, {"run_id": number}, {"min_val": min_val, "dataset": dataset})


def top_losses(number: int, k: int, dataset: str | None) -> Call[list[schemas.TopLoss]]:
    """What a run was most wrong about."""
    return Call(routes.TOP_LOSSES, list[schemas.TopLoss], {"run_id": number}, {"k": k, "dataset": dataset})


def photo(number: int, item: int, dataset: str | None) -> Call[bytes]:
    """One picture that a run was judged on."""
    return Call(routes.PHOTO, bytes, {"run_id": number, "item": item}, {"dataset": dataset})


def stored_predictions(number: int, dataset: str | None) -> Call[bytes]:
    """All scores of a run, as lines of JSON."""
    return Call(routes.STORED_PREDICTIONS, bytes, {"run_id": number}, {"dataset": dataset})


def rates(number: int, phase: int | None) -> Call[schemas.LrFindOut]:
    """A search for a learning rate."""
    return Call(routes.RATES, schemas.LrFindOut, {"run_id": number}, {"phase": phase})


def datasets(**query: Value) -> Call[schemas.PageOutDatasetSummary]:
    """A page of datasets."""
    return Call(routes.LIST_DATASETS, schemas.PageOutDatasetSummary, query=query)


def dataset(name: str, **query: Value) -> Call[schemas.DatasetOut]:
    """A dataset with its counts and what is wrong with it."""
    return Call(routes.DATASET, schemas.DatasetOut, {"name": name}, query)


def delete_dataset(name: str) -> Call[bytes]:
    """Delete a dataset with its revisions; nothing comes back."""
    return Call(routes.DELETE_DATASET, bytes, {"name": name})


def builtin(name: str) -> Call[schemas.JobOut]:
    """Import a dataset that the service knows itself."""
    return Call(routes.BUILTIN, schemas.JobOut, body={"name": name, "builtin": name})


def summary(name: str, **query: Value) -> Call[schemas.ItemSteps]:
    """One picture through every step."""
    return Call(routes.SUMMARY, schemas.ItemSteps, {"name": name}, query)


def batch(name: str, **query: Value) -> Call[bytes]:
    """A labelled batch as PNG."""
    return Call(routes.BATCH, bytes, {"name": name}, query)


def presizing(name: str, **query: Value) -> Call[bytes]:
    """What presizing saves, as PNG."""
    return Call(routes.PRESIZING, bytes, {"name": name}, query)


def models(**query: Value) -> Call[schemas.PageOutModelOut]:
    """A page of versions."""
    return Call(routes.LIST_MODELS, schemas.PageOutModelOut, query=query)


def register(number: int, alias: str | None) -> Call[schemas.ModelOut]:
    """Make a run a version; a run that is one keeps its number, so that repeating is harmless."""
    return Call(routes.REGISTER, schemas.ModelOut, body={"run": number, "alias": alias}, harmless=True)


def model(version: int) -> Call[schemas.ModelDetail]:
    """A version."""
    return Call(routes.MODEL, schemas.ModelDetail, {"version": version})


def add_breeds(version: int, dataset: str, name: str | None) -> Call[schemas.JobOut]:
    """Add a dataset's breeds to a version's; sent again after a broken connection, it is still one job."""
    body = {"dataset": dataset, "name": name}
    return Call(routes.ADD_BREEDS, schemas.JobOut, {"version": version}, body=body, key=uuid4().hex)


def alias(name: str) -> Call[schemas.AliasOut]:
    """Where an alias points."""
    return Call(routes.ALIAS, schemas.AliasOut, {"alias": name})


def point(name: str, version: int) -> Call[schemas.AliasOut]:
    """Point an alias at a version."""
    return Call(routes.POINT, schemas.AliasOut, {"alias": name}, body={"version": version})


def roll_back(name: str) -> Call[schemas.AliasOut]:
    """Point an alias at the version before."""
    return Call(routes.ROLL_BACK, schemas.AliasOut, {"alias": name})


def feedback(prediction: str, breed: str | None) -> Call[schemas.KeptPredictionWhole]:
    """Say what a kept prediction's picture shows."""
    return Call(routes.FEEDBACK, schemas.KeptPredictionWhole, {"prediction": prediction}, body={"breed": breed})
