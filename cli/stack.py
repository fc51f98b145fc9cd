"""The whole service on this machine: starting it in order, keeping it up, stopping it in order."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, auto
from http import HTTPStatus
from pathlib import Path
from time import monotonic, sleep

from pydantic import ValidationError

from cli import shell
from cli.data_folder import DataFolder
from cli.errors import StackError, StopSignal
from cli.patience import Line, patiently
from cli.ports import DEFAULT_HOST, listen, near, port_of
from cli.processes import kill_group, last_line, wait_until
from cli.running import forget, remember
from cli.servers import Postgres, Redis
from cli.services import API_STOP, REPAIR_STOP, WORKER_STOP, Part, Service, run_once
from cli.succession import Succession
from pedigree.errors import PedigreeError
from pedigree.wire import Wire
from store.collector import read_headers
from store.errors import SettingsInvalid
from store.oidc import client_of
from store.settings import Settings, wrong_setting

READY_SECONDS = 180.0  # the API imports torch, which a cold disk makes slow
LINE_AFTER_SECONDS = 5.0
"""Of a step, before a reader who has no live line is told of it."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 10.0  # up for this long, and the next end counts as the first again
TO_BE_STARTED = {"DATABASE_URL": "postgresql://", "REDIS_URL": "redis://"}

Say = Callable[[str], None]


class PartKind(IntEnum):
    """What a part is, in the order in which parts are stopped."""

    API = auto()
    WORKER = auto()
    REPAIR = auto()
    REDIS = auto()
    POSTGRES = auto()


@dataclass
class SupervisedPart:
    """A part with its history of ends."""

    name: str
    kind: PartKind
    part: Part
    started_at: float = field(default_factory=monotonic)
    pause: float = FIRST_PAUSE_SECONDS
    due_at: float | None = None


@dataclass
class Stack:
    """Starts, keeps up and stops every part on one data folder, whose lock the caller holds.

    Everything happens in the main thread: a child's death signal is tied to the thread that started it.
    """

    folder: DataFolder
    say: Say
    port: int | None = None
    workers: int = 1
    host: str = DEFAULT_HOST
    url: str = ""
    listener: socket.socket | None = None
    kept: list[SupervisedPart] = field(default_factory=list)
    signals: int = 0
    wants_restart: bool = False
    restarts: int = 0
    restart_error: str | None = None
    succession: Succession | None = None
    leaving: list[Service] = field(default_factory=list)
    stopping: bool = False
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def start(self) -> None:
        """Start all, each when what it needs is there; the address is in ``url`` and in stack.json.

        Raises:
            StackError: a part cannot run. The caller stops what did start.
        """
        self.folder.close_to_others()
        self.listener = listen(self.port, self.say, self.host)
        check_settings(self._own_settings())
        environment = self._environment()
        with self._step("migrations"):
            run_once(["migrations"], environment, self._log("migrations"))
        for name, lane in workers_of_lanes(self.workers).items():
            with self._step(name):
                service = Service(["worker", "--lane", lane], environment, self._log(name), WORKER_STOP)
                self._keep(name, PartKind.WORKER, service)
        with self._step("repair"):
            service = Service(["worker.repair"], environment, self._log("repair"), REPAIR_STOP)
            self._keep("repair", PartKind.REPAIR, service)
        with self._step("api"):
            held = self.listener.fileno()
            service = Service(["api", "--fd", str(held)], environment, self._log("api"), API_STOP, held)
            self._keep("api", PartKind.API, service)
            self.url = f"http://{near(self.host)}:{port_of(self.listener)}"
            self._wait_for_api()
        self._write()
        self._let_it_be_found()

    def keep_up(self) -> None:
        """Start again whatever ends, until a signal asks to stop."""
        try:
            while True:
                self.look_after()
                sleep(0.2)
        except StopSignal:
            return

    def look_after(self) -> None:
        """One round of looking: say what has ended, and start it again when its pause is over."""
        self._look_after_restart()
        for kept in self.kept:
            process = kept.part.process
            if kept.due_at is None and (process is None or process.poll() is not None):
                self._ended(kept, process)
            elif kept.due_at is not None and monotonic() >= kept.due_at:
                self._restart(kept)

    def stop(self) -> None:
        """Stop all, the last started first among servers; a second signal meanwhile ends the waiting."""
        self.stopping = True
        forget(self.folder)
        if self.listener is not None:
            self.listener.close()  # the API has its own; without one, whoever connects is refused at once
        if self.succession is not None:
            self.succession.stop()
        for part in [*self.leaving, *(kept.part for kept in sorted(self.kept, key=lambda one: one.kind))]:
            part.stop()
        self.folder.stack_file.unlink(missing_ok=True)

    def on_signal(self, _number: int, _frame: object) -> None:
        """Ask once to stop; while stopping, insist at once."""
        self.signals += 1
        if not self.stopping:
            self.stopping = True
            raise StopSignal
        if self.signals > 1:
            self._insist()

    def on_restart(self, _number: int, _frame: object) -> None:
        """Ask for a new API process in place of the one that runs."""
        self.wants_restart = True

    def _look_after_restart(self) -> None:
        """Begin, follow and end the taking over by a new API process; whoever asks meanwhile has the one under way."""
        for part in [part for part in self.leaving if _has_ended(part)]:
            part.stop()
            self.leaving.remove(part)
        kept = next(one for one in self.kept if one.kind is PartKind.API)
        if self.wants_restart and self.succession is None and isinstance(kept.part, Service):
            self.say("– api: a new process starts beside the one that runs")
            self.succession = Succession(kept.part)
        self.wants_restart = False
        found = None if self.succession is None else self.succession.look()
        if found is None:
            return
        self.succession = None
        self.restarts += 1
        if isinstance(found, Service):
            self.restart_error = None
            if isinstance(kept.part, Service):
                self.leaving.append(kept.part)
            kept.part, kept.started_at, kept.due_at = found, monotonic(), None
            self.say("✓ api: a new process has taken over")
        else:
            self.restart_error = found
            self.say(f"! api: no new process has taken over, {found}; the one before goes on")
        self._write()

    def _insist(self) -> None:
        for part in self.leaving:
            if part.process is not None:
                kill_group(part.process)
        for kept in self.kept:
            process = kept.part.process
            if process is not None and process.poll() is None:
                if kept.kind is PartKind.POSTGRES:
                    process.send_signal(signal.SIGQUIT)  # at once, yet with its shared memory given back
                else:
                    kill_group(process)

    def _own_settings(self) -> dict[str, str]:
        """What is set from outside, the rest this folder's; the servers' addresses come with the servers."""
        root = self.folder.root
        own = {
            "ARTIFACTS_URL": (root / "artifacts").as_uri(),
            "PEDIGREE_CACHE": str(root / "cache"),
            "PEDIGREE_WEIGHTS": str(self.folder.weights),
        }
        unset = {name: value for name, value in own.items() if not os.environ.get(name)}
        # the rest as it is, empty ones too: to others an empty variable may say something
        others = {name: value for name, value in os.environ.items() if name != "PEDIGREE_KEY"}  # a caller's, not ours
        return others | unset | {"PYTHONUNBUFFERED": "1"}

    def _environment(self) -> dict[str, str]:
        """The settings of every process, with servers started where none are set."""
        if not os.environ.get("DATABASE_URL"):
            shell.drop_variables(shell.POSTGRES)  # of a database of the user's own they may be part
        environment = self._own_settings()
        root = self.folder.root
        for name, kind, variable, make in (
            ("postgres", PartKind.POSTGRES, "DATABASE_URL", lambda: Postgres(root / "postgres", self._log("postgres"))),
            ("redis", PartKind.REDIS, "REDIS_URL", lambda: Redis(root / "redis", self._log("redis"))),
        ):
            if environment.get(variable):
                self.say(f"– {name}: {variable} is set, none is started")
            else:
                with self._step(name):
                    environment[variable] = str(self._keep(name, kind, make()))
        return environment

    def _keep(self, name: str, kind: PartKind, part: Part) -> object:
        kept = SupervisedPart(name, kind, part)
        self.kept.append(kept)
        return part.start()

    def _wait_for_api(self) -> None:
        api = self.kept[-1].part
        if not wait_until(lambda: _has_ended(api) or _answers(self.url), READY_SECONDS) or _has_ended(api):
            raise StackError(f"The API did not start: {last_line(api.log)}", f"Read {api.log}.")
        for kept in self.kept:
            if _has_ended(kept.part):
                raise StackError(f"{kept.name} ended at once: {last_line(kept.part.log)}", f"Read {kept.part.log}.")

    def _let_it_be_found(self) -> None:
        try:
            remember(self.folder)
        except StackError as error:
            self.say(f"– {error.detail} So other folders do not find this stack by themselves; give --url {self.url}.")

    def _ended(self, kept: SupervisedPart, process: subprocess.Popen[bytes] | None) -> None:
        if monotonic() - kept.started_at > SETTLED_SECONDS:
            kept.pause = FIRST_PAUSE_SECONDS
        how = _how_it_ended(process.returncode) if process is not None else "it did not start"
        self.say(f"! {kept.name} ended ({how}); starting it again in {kept.pause:.0f} s; its log is {kept.part.log}")
        if process is not None:
            kill_group(process)
        kept.due_at = monotonic() + kept.pause
        kept.pause = min(kept.pause * 2, LONGEST_PAUSE_SECONDS)

    def _restart(self, kept: SupervisedPart) -> None:
        kept.due_at, kept.started_at = None, monotonic()
        try:
            kept.part.start()
        except StackError as error:
            self.say(f"! {error}")
            return
        self.say(f"✓ {kept.name} started again")
        self._write()

    def _write(self) -> None:
        pids = {kept.name: kept.part.process.pid for kept in self.kept if kept.part.process is not None}
        where = {"url": self.url, "data": str(self.folder.root), "pid": os.getpid()}
        restarts = {"restarts": self.restarts, "restart_error": self.restart_error}
        self.folder.write_stack({**where, "started_at": self.started_at, "pids": pids, **restarts})

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = monotonic()
        with patiently(lambda: f"{name} is being started", line=Line(LINE_AFTER_SECONDS, self.say)):
            yield
        self.say(f"✓ {name} ({monotonic() - began:.1f} s)")

    def _log(self, name: str) -> Path:
        """A process's log; the one of the start before is kept beside it."""
        log = self.folder.log(name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        return log


@contextmanager
def running_stack(
    folder: DataFolder, say: Say, *, port: int | None = None, workers: int = 1, host: str = DEFAULT_HOST
) -> Iterator[Stack]:
    """A started stack, stopped at the end whatever happens.

    Raises:
        StackError: it could not start.
        StopSignal: a signal came while the caller's block ran.
    """
    stack = Stack(folder, say, port=port, workers=workers, host=host)
    with folder.lock():
        before = {
            number: signal.signal(number, stack.on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, stack.on_restart)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
            for number, handler in before.items():
                signal.signal(number, handler)


def workers_of_lanes(training: int) -> dict[str, str]:
    """The worker processes by name, each with its lane: so many that train, and one for what need not wait for them."""
    names = ["worker"] if training == 1 else [f"worker-{number}" for number in range(1, training + 1)]
    return dict.fromkeys(names, "train") | {"worker-light": "light"}


def check_settings(environment: Mapping[str, str]) -> None:
    """Look at the settings once before many processes do; a server whose address is not set is yet to be started.

    Raises:
        StackError: one has a value that cannot be used.
    """
    try:
        found = Settings.model_validate(TO_BE_STARTED | {name: value for name, value in environment.items() if value})
        read_headers(found.otlp_headers)
        client_of(found)
    except ValidationError as error:
        fault = wrong_setting(error)
        raise StackError(f"{fault.variable}: {fault.detail}.", f"Unset it, or set it{fault.form}.") from None
    except SettingsInvalid as error:
        raise StackError(f"{error.detail}.", error.hint) from None


def _has_ended(part: Part) -> bool:
    return part.process is None or part.process.poll() is not None


def _answers(url: str) -> bool:
    try:
        with Wire(url, timeout=2.0) as wire:
            return wire.ask("GET", "/healthz").status_code == HTTPStatus.OK
    except PedigreeError:
        return False


def _how_it_ended(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
