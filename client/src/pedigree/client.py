"""The synchronous client."""

import os
from collections.abc import Iterator, Mapping, Sequence
from time import sleep
from typing import Self, TypeVar, overload

import httpx

from pedigree import calls, requests, routes, schemas
from pedigree.calls import Call, Value
from pedigree.errors import PedigreeError
from pedigree.events import Event, Following
from pedigree.finding import find_url
from pedigree.kept import Datasets, Jobs, Models, Runs
from pedigree.key import find_key
from pedigree.packing import Form
from pedigree.pictures import Picture, form_of, in_parts, is_one
from pedigree.prediction import Answers, one_of
from pedigree.results import RateSearch
from pedigree.run import Run, number_of, wait_for
from pedigree.search import Search
from pedigree.sending import Tries, answer_of
from pedigree.wire import UPLOAD, Wire

T = TypeVar("T")


class Client:
    """Calls of one service; every method raises ``PedigreeError`` where it does not succeed.

        client = Client()
        run = client.train("pets", arch="resnet18", epochs=3).wait()
        run.confusion.most_confused

    Attributes:
        url: where the service answers.
        wire: requests without types, for what no method sends.
        runs, datasets, models, jobs: what it keeps.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        data: str | os.PathLike[str] | None = None,
        key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Find a service.

        Args:
            url: its address; by default that of the stack on ``data``, else PEDIGREE_URL, else of the one that runs.
            data: the data folder of a stack on this machine.
            key: what the service knows the caller by; by default PEDIGREE_KEY, else that of the user's own file.
            timeout: seconds to wait for an answer.
            retries: how often a request that can be repeated without harm is, after a failure that may pass.
            transport: what sends requests in place of the network.

        Raises:
            Unreachable: no service is known.
            UnusableKey: the key cannot be sent, or its file can be read by others.
        """
        self.url = find_url(url, data)
        self.retries = retries
        self.wire = Wire(self.url, key=find_key(key), timeout=timeout, transport=transport)
        self.runs, self.datasets = Runs(self), Datasets(self)
        self.models, self.jobs = Models(self), Jobs(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self.wire.close()

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    def train(
        self,
        dataset: str | None = None,
        *,
        arch: str | None = None,
        epochs: int | None = None,
        from_run: "Run | int | None" = None,
        name: str | None = None,
        **config: object,
    ) -> Run:
        """Queue a training and return its run; ``wait()`` follows it.

        Args:
            dataset: its name; by default that of ``from_run``.
            arch: a torchvision architecture.
            epochs: of the recipe.
            from_run: a run whose weights and settings it goes on from.
            name: for people.
            config: any other field of the configuration, such as ``size=128`` or ``recipe="one_cycle"``.
        """
        parent = None if from_run is None else number_of(from_run)
        body = requests.training(dataset, config, arch=arch, epochs=epochs, from_run=parent, name=name)
        return self.run_of(self.send(calls.queue(body)))

    def forecast(
        self, dataset: str, *, arch: str | None = None, epochs: int | None = None, **config: object
    ) -> schemas.DryRun:
        """Check a training and say how long it would take, as far as the record tells; nothing is queued."""
        body = requests.training(dataset, config, arch=arch, epochs=epochs, from_run=None, name=None)
        return self.send(calls.dry_run(body))

    def lr_find(
        self,
        dataset: str | None = None,
        *,
        arch: str | None = None,
        from_run: "Run | int | None" = None,
        name: str | None = None,
        progress: bool = True,
        **config: object,
    ) -> RateSearch:
        """Search a learning rate, and wait for it; on a fresh model, or on a run's weights with ``from_run``."""
        parent = None if from_run is None else number_of(from_run)
        body = requests.rate_search(dataset, config, arch=arch, from_run=parent, name=name)
        run = self.run_of(self.send(calls.queue(body))).wait(progress=progress)
        return run.rate_search()

    def search(
        self,
        dataset: str,
        space: Mapping[str, object],
        *,
        trials: int | None = None,
        minutes: float | None = None,
        pruner: str | None = None,
        objective: str | None = None,
        limits: Mapping[str, float] | None = None,
        at_once: int | None = None,
        register: bool | None = None,
        search_seed: int | None = None,
        name: str | None = None,
        **config: object,
    ) -> Search:
        """Queue a search over settings; ``wait()`` follows it. What is left out is the service's choice.

        Args:
            dataset: its name.
            space: fields of the configuration by their dotted names: a list of values, or a range as
                ``{"low": 1e-4, "high": 1e-2, "log": True}``.
            trials: how many settings are tried at most.
            minutes: after so long it ends.
            pruner: ``median``, ``hyperband`` or ``none``.
            objective: ``error_rate``, ``valid_loss`` or ``macro_error``.
            limits: ``train_minutes`` and ``answer_ms``, which the best has to keep.
            at_once: trials that are under way at once.
            register: whether the best becomes a version.
            search_seed: decides which settings are tried.
            name: for people.
            config: what every trial has, such as ``arch="resnet18"`` or ``epochs=3``.
        """
        asked = {"trials": trials, "minutes": minutes, "pruner": pruner, "objective": objective, "limits": limits}
        asked |= {"at_once": at_once, "register_best": register, "seed": search_seed}
        body = requests.study(dataset, space, config, name=name, **asked)
        return Search(self, self.send(calls.queue(body)))

    @overload  # a text is a path, not a sequence of letters
    def predict(self, pictures: Picture, *, model: str | int = ..., **wishes: Value) -> schemas.Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, pictures: Sequence[Picture], *, model: str | int = ..., **wishes: Value) -> Answers: ...

    def predict(
        self,
        pictures: Picture | Sequence[Picture],
        *,
        model: str | int = "production",
        **wishes: Value,  # the query's
    ) -> schemas.Prediction | Answers:
        """Name the breed in a picture or several: paths, bytes, or what Pillow has opened.

        Args:
            pictures: one, which gives one answer, or a sequence, which gives one each; of several a broken one is an
                answer with an ``error``, a lone one is raised.
            model: an alias or a version.
            wishes: ``top_k``, ``tta``, ``coverage``, ``keep``, as in ``POST /predict``.
        """
        if is_one(pictures):
            return one_of(self._predict([pictures], 0, model, wishes))  # type: ignore[list-item]
        answers = Answers()
        for part in in_parts(list(pictures)):  # type: ignore[arg-type]
            # All of them by one version, wherever its alias is pointed meanwhile.
            answers.add(self._predict(part, len(answers), answers.version or model, wishes))
        return answers

    def wait(self, job: int, *, progress: bool = True) -> schemas.JobOut:
        """Follow a job to its end."""
        return wait_for(self, job, progress=progress)

    def cancel(self, job: int) -> schemas.JobOut:
        """Stop a job."""
        return self.send(calls.cancel(job))

    def send(self, call: Call[T]) -> T:
        """Send a request, and again after a failure that may pass where that does no harm."""
        tries = Tries(call.repeatable, self.retries)
        while True:
            try:
                return self._once(call)
            except PedigreeError as error:
                pause = tries.pause_after(error)
                if pause is None:
                    raise
            sleep(pause)

    def events(self, job: int, following: Following) -> Iterator[Event]:
        """A job's events as they come, after those that were heard before; ends with the stream."""
        return self.wire.events(job, following)

    def upload(self, form: Form) -> schemas.JobOut:
        """Send a dataset's form; returns the job that takes it in."""
        call = Call(routes.UPLOAD, schemas.JobOut)
        sent = self.wire.ask("POST", call.path, content=form.body, headers=dict(form.headers), timeout=UPLOAD)
        return answer_of(call, sent)

    def _predict(
        self, pictures: Sequence[Picture], first: int, model: str | int, wishes: dict[str, Value]
    ) -> schemas.Predictions:
        call = Call(routes.PREDICT, schemas.Predictions, query={"model": model, **wishes})
        return answer_of(call, self.wire.ask("POST", call.path, params=call.params, files=form_of(pictures, first)))

    def _once(self, call: Call[T]) -> T:
        asked = {"params": call.params, "headers": call.headers, "json": call.body}
        return answer_of(call, self.wire.ask(call.route.method, call.path, **asked))

    def run_of(self, job: schemas.JobOut) -> Run:
        """The run of a job that makes one."""
        if job.run is None:
            raise PedigreeError(f"job {job.id} makes no run", code="no_run")
        return self.runs.get(job.run)
