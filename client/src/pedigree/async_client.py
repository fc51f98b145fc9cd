"""The asynchronous client."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from typing import Self, TypeVar, overload

import httpx

from pedigree import calls, requests, routes, schemas
from pedigree.async_kept import AsyncDatasets, AsyncJobs, AsyncModels, AsyncRuns
from pedigree.async_run import AsyncRun, wait_for
from pedigree.async_search import AsyncSearch
from pedigree.calls import Call, Value
from pedigree.errors import PedigreeError, problem_of
from pedigree.events import Event, EventReader, Following
from pedigree.finding import find_url
from pedigree.key import find_key
from pedigree.packing import Form
from pedigree.pictures import Picture, form_of, in_parts, is_one
from pedigree.prediction import Answers, one_of
from pedigree.results import RateSearch
from pedigree.run import number_of
from pedigree.sending import Tries, answer_of, request_of
from pedigree.wire import SILENCE, UPLOAD, options_of, reached, usable

T = TypeVar("T")


class AsyncClient:
    """As ``Client``, with every call awaited.

        async with AsyncClient() as client:
            run = await client.train("pets", arch="resnet18", epochs=3)
            await run.wait()
            (await run.confusion()).most_confused

    Attributes:
        url: where the service answers.
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
        transport: httpx.AsyncBaseTransport | None = None,
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
        with usable(self.url):
            self._http = httpx.AsyncClient(**options_of(self.url, timeout, find_key(key)), transport=transport)
        self.runs, self.datasets = AsyncRuns(self), AsyncDatasets(self)
        self.models, self.jobs = AsyncModels(self), AsyncJobs(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    def __repr__(self) -> str:
        return f"<AsyncClient of {self.url}>"

    async def train(
        self,
        dataset: str | None = None,
        *,
        arch: str | None = None,
        epochs: int | None = None,
        from_run: AsyncRun | int | None = None,
        name: str | None = None,
        **config: object,
    ) -> AsyncRun:
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
        return await self.run_of(await self.send(calls.queue(body)))

    async def forecast(
        self, dataset: str, *, arch: str | None = None, epochs: int | None = None, **config: object
    ) -> schemas.DryRun:
        """Check a training and say how long it would take, as far as the record tells; nothing is queued."""
        body = requests.training(dataset, config, arch=arch, epochs=epochs, from_run=None, name=None)
        return await self.send(calls.dry_run(body))

    async def lr_find(
        self,
        dataset: str | None = None,
        *,
        arch: str | None = None,
        from_run: AsyncRun | int | None = None,
        name: str | None = None,
        progress: bool = True,
        **config: object,
    ) -> RateSearch:
        """Search a learning rate, and wait for it; on a fresh model, or on a run's weights with ``from_run``."""
        parent = None if from_run is None else number_of(from_run)
        body = requests.rate_search(dataset, config, arch=arch, from_run=parent, name=name)
        run = await self.run_of(await self.send(calls.queue(body)))
        return await (await run.wait(progress=progress)).rate_search()

    async def search(
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
    ) -> AsyncSearch:
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
        return AsyncSearch(self, await self.send(calls.queue(body)))

    @overload  # a text is a path, not a sequence of letters
    async def predict(self, pictures: Picture, *, model: str | int = ..., **wishes: Value) -> schemas.Prediction: ...  # type: ignore[overload-overlap]

    @overload
    async def predict(self, pictures: Sequence[Picture], *, model: str | int = ..., **wishes: Value) -> Answers: ...

    async def predict(
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
            return one_of(await self._predict([pictures], 0, model, wishes))  # type: ignore[list-item]
        answers = Answers()
        for part in in_parts(list(pictures)):  # type: ignore[arg-type]
            # All of them by one version, wherever its alias is pointed meanwhile.
            answers.add(await self._predict(part, len(answers), answers.version or model, wishes))
        return answers

    async def wait(self, job: int, *, progress: bool = True) -> schemas.JobOut:
        """Follow a job to its end."""
        return await wait_for(self, job, progress=progress)

    async def cancel(self, job: int) -> schemas.JobOut:
        """Stop a job."""
        return await self.send(calls.cancel(job))

    async def send(self, call: Call[T]) -> T:
        """Send a request, and again after a failure that may pass where that does no harm."""
        tries = Tries(call.repeatable, self.retries)
        while True:
            try:
                return await self._once(call)
            except PedigreeError as error:
                pause = tries.pause_after(error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def events(self, job: int, following: Following) -> AsyncGenerator[Event]:
        """A job's events as they come, after those that were heard before; ends with the stream."""
        path = routes.EVENTS.path.format(job_id=job)
        reader = EventReader()
        with reached(self.url):
            async with self._http.stream("GET", path, headers=following.headers, timeout=SILENCE) as response:
                if not response.is_success:
                    await response.aread()
                    raise problem_of(response)
                following.answered()
                async for line in response.aiter_lines():
                    if (event := reader.read(line)) is not None:
                        following.heard(event)
                        yield event

    async def upload(self, form: Form) -> schemas.JobOut:
        """Send a dataset's form; returns the job that takes it in."""
        with reached(self.url):
            response = await self._http.post(
                routes.UPLOAD.path, content=_unhurried(form.body), headers=dict(form.headers), timeout=UPLOAD
            )
        return answer_of(Call(routes.UPLOAD, schemas.JobOut), response)

    async def _predict(
        self, pictures: Sequence[Picture], first: int, model: str | int, wishes: dict[str, Value]
    ) -> schemas.Predictions:
        call = Call(routes.PREDICT, schemas.Predictions, query={"model": model, **wishes})
        files = await asyncio.to_thread(form_of, pictures, first)
        with reached(self.url):
            response = await self._http.post(call.path, params=call.params, files=files)
        return answer_of(call, response)

    async def _once(self, call: Call[T]) -> T:
        with reached(self.url):
            response = await self._http.send(request_of(self._http, call))
        return answer_of(call, response)

    async def run_of(self, job: schemas.JobOut) -> AsyncRun:
        """The run of a job that makes one."""
        if job.run is None:
            raise PedigreeError(f"job {job.id} makes no run", code="no_run")
        return await self.runs.get(job.run)


async def _unhurried(body: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Files are read in a thread, so that the loop is not held up."""
    while (chunk := await asyncio.to_thread(next, body, None)) is not None:
        yield chunk
