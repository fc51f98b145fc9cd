"""One export, made by a process that is held to a time and to memory, and can be ended."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from os import environ, getpid
from pathlib import Path
from typing import Any

from ml.decode.images import Limits
from ml.errors import ExportRefused, LearningError, OutOfMemory
from ml.serve.export.forms import Form
from store.errors import AppError

SECONDS = 900.0
"""The largest models take minutes on a slow core."""
_NICENESS = 10
_FIXED_BYTES = 3 << 30
_TIMES_WEIGHTS = 8
_MODEST = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_KINDS: dict[str, type[LearningError]] = {OutOfMemory.code: OutOfMemory}

OnStage = Callable[[str], None]


class ExportFailed(AppError):
    """An export's process came to no end of its own."""

    code = "export_failed"
    title = "Export failed"


@dataclass(frozen=True)
class ExportRequest:
    """What is exported as ``version``: ``model`` is the folder of its files, ``photos`` are files to check it on."""

    model: Path
    form: Form
    version: int
    run: int
    photos: tuple[Path, ...]
    limits: Limits


class ExportProcess:
    """Runs one at a time, from one thread that stays: the kernel ends a process with the thread that started it."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._running: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = threading.Lock()

    def make(self, request: ExportRequest, work: Path, on_stage: OnStage) -> Path:
        """The export's archive, in the folder ``work``.

        Raises:
            LearningError: the model cannot be exported so.
            ExportFailed: the process ended without a word, or took too long.
        """
        asked = {
            **{name: str(getattr(request, name)) for name in ("model", "form")},
            "version": request.version,
            "run": request.run,
            "photos": [str(photo) for photo in request.photos],
            "limits": asdict(request.limits),
            "work": str(work),
            "parent": getpid(),
            "niceness": _NICENESS,
            "bytes": _memory(request.model),
        }
        told: dict[str, Any] = {}
        (work / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        with self._started(work) as process:
            for line in _lines(process):
                told = line
                if "stage" in line:
                    on_stage(line["stage"])
        if "refused" in told:
            code, detail, hint = told["refused"]
            raise _KINDS.get(code, ExportRefused)(detail, hint)
        if "made" not in told:
            detail = f"the process that exports version {request.version} as {request.form} broke off"
            raise ExportFailed(detail, "Look into the service's log, or try another format.")
        return Path(told["made"])

    def close(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._closed = True
            if self._running is not None:
                self._running.kill()

    @contextmanager
    def _started(self, work: Path) -> Iterator[subprocess.Popen[str]]:
        with (work / "log").open("wb") as log:
            process = self._start(work, log.fileno())
            timer = threading.Timer(self._seconds, process.kill)
            timer.start()
            try:
                yield process
            finally:
                timer.cancel()
                process.kill()
                with process:
                    self._running = None

    def _start(self, work: Path, log: int) -> "subprocess.Popen[str]":
        with self._lock:
            if self._closed:
                raise ExportFailed("the service is being stopped", "Send the request again in a moment.")
            self._running = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "ml.serve.export", str(work / "request.json")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**environ, **_MODEST},
            )
            return self._running


def _lines(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    for line in process.stdout:
        if line.startswith("{"):  # the libraries print too
            yield json.loads(line)


def _memory(model: Path) -> int:
    """What the process may take: ONNX holds the weights several times over."""
    return _FIXED_BYTES + _TIMES_WEIGHTS * sum(file.stat().st_size for file in model.iterdir())
