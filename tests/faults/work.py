"""What runs against a world: jobs that are posted, watched, cancelled and resumed, and photos that are sent."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import httpx

from store.resuming import WORTH_RESUMING
from store.states import FINAL, State
from tests.faults.world import World
from tests.worker.pictures import archive, picture

Json = dict[str, Any]
What = Literal["train", "cancel", "import", "search", "interpret", "predict"]
"""Kinds of work; ``cancel`` is a training that is cancelled while it learns, and resumed."""

REQUEST_SECONDS = 20.0
LOOK_SECONDS = 0.2
PICTURES = 12
"""Of each of the two breeds."""
_SMALL = {"arch": "mobilenet_v3_small", "pretrained": False, "presize": 40, "size": 32, "batch_size": 8}
CONFIGS: list[Json] = [
    {**_SMALL, "recipe": "one_cycle", "epochs": 4, "freeze": False},
    {**_SMALL, "recipe": "fine_tune", "freeze_epochs": 2, "epochs": 2, "base_lr": 1e-3},
]
SPACE: Json = {"batch_size": [8, 16], "lr_max": {"low": 1e-4, "high": 1e-2, "log": True}}
TRIALS = 2


class Lost(Exception):
    """A job that was accepted is not there, or ended as it must not."""


class Stuck(Exception):
    """Something does not come to its end."""


class Caller:
    """Asks one API, and the other where that does not answer, until one does."""

    def __init__(self, world: World, over: threading.Event) -> None:
        self._over = over
        self._clients = [httpx.Client(base_url=url, timeout=REQUEST_SECONDS, trust_env=False) for url in world.urls]
        self._turns = itertools.cycle(self._clients)

    def __call__(self, method: str, path: str, **sent: Any) -> httpx.Response:  # noqa: ANN401 - what httpx takes
        """The answer that is none of trouble on the service's side.

        Raises:
            Stuck: there was none until the work was given up.
        """
        while not self._over.is_set():
            with suppress(httpx.TransportError):
                answer = next(self._turns).request(method, path, **sent)
                if not answer.is_server_error and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                    return answer
            self._over.wait(LOOK_SECONDS)
        raise Stuck(f"{method} {path} is never answered")

    def close(self) -> None:
        """Give the connections back."""
        for client in self._clients:
            client.close()


@dataclass(frozen=True)
class Accepted:
    """A job that the service took: of which kind of work, and what must have come of it."""

    job: int
    what: str
    config: int | None = None
    """Which of CONFIGS it trains: its twin is the undisturbed training of the same."""


@dataclass
class Work:
    """A set of jobs in threads of their own, and photos sent all the while."""

    world: World
    name: str
    searches: int = 0
    accepted: list[Accepted] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    """Codes of jobs that failed for a fault, and were resumed."""
    answered: int = 0
    wrong_answers: list[str] = field(default_factory=list)
    look_seconds: float = LOOK_SECONDS
    """Between two looks at a job."""
    expected: Json | None = None
    """What POST /predict says of the photo; None while no model is in production."""
    _over: threading.Event = field(default_factory=threading.Event)
    _done: threading.Event = field(default_factory=threading.Event)
    _futures: list[Future[None]] = field(default_factory=list)
    _predicting: Future[None] | None = None
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=16))

    def start(self, *, interpret: int | None = None, trainings: int = 2) -> None:
        """Begin; ``interpret`` is a finished run."""
        for number in range(trainings):
            self.begin("train", f"train-{number}", config=number % len(CONFIGS))
        self.begin("cancel", "cancel")
        self.begin("import", "import")
        for number in range(self.searches):
            self.begin("search", f"search-{number}")
        if interpret is not None:
            self.begin("interpret", "interpret", run=interpret)
            self.begin("predict", "predict")
        self._predicting = self._pool.submit(self._predict)

    def begin(self, what: What, key: str, *, config: int = 0, run: int | None = None) -> None:
        """One job more, in a thread of its own as long as one is free.

        Args:
            what: the kind of work.
            key: a name of its own among this work's jobs.
            config: which of CONFIGS is trained.
            run: a finished one, to be interpreted.
        """
        match what:
            case "train":
                begun = self._pool.submit(self._train, key, config)
            case "cancel":
                begun = self._pool.submit(self._cancel_and_resume, key, config)
            case "import":
                begun = self._pool.submit(self._import, key)
            case "search":
                begun = self._pool.submit(self._search, key)
            case "interpret":
                begun = self._pool.submit(self._post, key, {"kind": "interpret", "run": run})
            case "predict":
                begun = self._pool.submit(self._post, key, {"kind": "predict", "dataset": "pets"})
        self._futures.append(begun)

    def ended(self) -> int:
        """How many jobs have come to their end, for better or worse."""
        return sum(future.done() for future in self._futures)

    def is_done(self) -> bool:
        """Whether every job has come to its end, for better or worse."""
        return self.ended() == len(self._futures)

    def wait(self, seconds: float, look: Callable[[], None]) -> bool:
        """Wait for the end, looking after the world meanwhile; False where it does not come."""
        deadline = time.monotonic() + seconds
        while not self.is_done() and time.monotonic() < deadline:
            look()
            time.sleep(LOOK_SECONDS)
        return self.is_done()

    def end(self) -> list[Exception]:
        """Give up what has not ended; what went wrong."""
        self._over.set()
        self._pool.shutdown()
        begun = [*self._futures, *([] if self._predicting is None else [self._predicting])]
        errors = [future.exception() for future in begun]
        return [error for error in errors if isinstance(error, Exception)]

    def _train(self, key: str, config: int) -> None:
        ask = Caller(self.world, self._over)
        job = self._posted(ask, key, _training(config))
        again = self._posted(ask, key, _training(config))
        if job != again:
            raise Lost(f"{key}: jobs {job} and {again} for one key")
        self.accepted.append(Accepted(job, "train", config))
        self._until_succeeded(ask, job)
        ask.close()

    def _cancel_and_resume(self, key: str, config: int) -> None:
        ask = Caller(self.world, self._over)
        job = self._posted(ask, key, _training(config))
        self.accepted.append(Accepted(job, "train", config))
        while (found := self._look(ask, job))["state"] == State.QUEUED or not _is_learning(found):
            if State(found["state"]) in FINAL:
                break
            self._pause(job)
        ask("POST", f"/jobs/{job}/cancel")
        while State(self._look(ask, job)["state"]) not in FINAL:
            self._pause(job)
        ask("POST", f"/jobs/{job}/resume")
        self._until_succeeded(ask, job)
        ask.close()

    def _import(self, key: str) -> None:
        ask = Caller(self.world, self._over)
        name = f"pets-{self.name}-{key}"
        sent: Json = {
            "data": {"name": name},
            "files": {"archive": ("pets.zip", archive(5))},
            "headers": {"Idempotency-Key": name},
        }
        job, again = (self._accepted(ask("POST", "/datasets", **sent), "import") for _ in range(2))
        if job != again:
            raise Lost(f"import {name}: jobs {job} and {again} for one key")
        self.accepted.append(Accepted(job, "import"))
        self._until_succeeded(ask, job)
        found = ask("GET", f"/datasets/{name}")
        if found.status_code != HTTPStatus.OK:
            raise Lost(f"import {name}: {found.text}")
        ask.close()

    def _search(self, key: str) -> None:
        ask = Caller(self.world, self._over)
        config = {**CONFIGS[0], "epochs": 2}
        del config["batch_size"]
        body = {"kind": "search", "dataset": "pets", "config": config, "space": SPACE, "trials": TRIALS, "minutes": 60}
        job = self._posted(ask, key, body)
        self.accepted.append(Accepted(job, "search"))
        self._until_succeeded(ask, job)
        ask.close()

    def _post(self, key: str, body: Json) -> None:
        ask = Caller(self.world, self._over)
        job = self._posted(ask, key, body)
        self.accepted.append(Accepted(job, body["kind"]))
        self._until_succeeded(ask, job)
        ask.close()

    def _predict(self) -> None:
        """One photo again and again: the answer is the same, whatever happens around it."""
        ask = Caller(self.world, self._over)
        photo = picture("pug", 3)
        while self.expected is not None and not self._over.is_set():
            try:
                answer = ask("POST", "/predict", content=photo, headers={"Content-Type": "image/jpeg"})
            except Stuck:
                break
            self.answered += 1
            if answer.status_code != HTTPStatus.OK or best_of(answer.json()) != best_of(self.expected):
                self.wrong_answers.append(answer.text[:300])
            self._over.wait(LOOK_SECONDS)
        ask.close()

    def _posted(self, ask: Caller, key: str, body: Json) -> int:
        answer = ask("POST", "/jobs", json=body, headers={"Idempotency-Key": f"{self.name}-{key}"})
        return self._accepted(answer, key)

    def _accepted(self, answer: httpx.Response, what: str) -> int:
        if answer.is_error:
            raise Lost(f"{what}: {answer.text}")
        return int(answer.json()["id"])

    def _until_succeeded(self, ask: Caller, job: int) -> None:
        """Until it has; one that failed for what lay outside of it is resumed, as its hint says."""
        while (found := self._look(ask, job))["state"] != State.SUCCEEDED:
            if found["state"] == State.FAILED:
                code = found["error"]["code"]
                if code not in WORTH_RESUMING:
                    raise Lost(f"job {job} failed: {found['error']}")
                self.resumed.append(f"{found['kind']} {code}: {found['error']['detail']}")
                ask("POST", f"/jobs/{job}/resume")
            elif found["state"] == State.CANCELLED:
                raise Lost(f"job {job} is cancelled, which nobody asked for")
            self._pause(job)

    def _look(self, ask: Caller, job: int) -> Json:
        answer = ask("GET", f"/jobs/{job}")
        if answer.is_error:
            raise Lost(f"job {job}: {answer.text}")
        found: Json = answer.json()
        return found

    def _pause(self, job: int) -> None:
        if self._over.wait(self.look_seconds):
            raise Stuck(f"job {job} does not end")


def _training(config: int) -> Json:
    return {"kind": "train", "dataset": "pets", "config": CONFIGS[config]}


def _is_learning(job: Json) -> bool:
    progress: Json = job["progress"] or {}
    return (progress.get("step") or 0) > 0 and progress.get("stage") == "train"


def best_of(answer: Json) -> tuple[Any, float]:
    """The first breed of the one photo and its probability, to four places."""
    first = answer["predictions"][0]
    return first["breed"], round(max(one["probability"] for one in first["top"]), 4)
