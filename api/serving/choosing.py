"""How each version is run on this machine: looked up, or chosen by one measurement at a time beside the serving."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from queue import SimpleQueue
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.schemas.ways import choice_in
from api.serving.validation_photos import NothingToCheckBy
from ml.errors import LearningError
from ml.serve.choice import Choice
from ml.serve.way import Way
from store.db.choices import choice_on, record_choice
from store.db.models import ServingChoice
from store.errors import AppError, ServiceUnavailable

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0

OnChosen = Callable[[int, int], None]


class Measure(Protocol):
    """Measures one version."""

    def __call__(self, run: int) -> Choice:
        """The choice for the run's model on this machine; raises NothingToCheckBy, LearningError, AppError."""
        ...

    def stop(self) -> None: ...


class Ways(Protocol):
    """What loading a version asks for."""

    def way(self, version: int, run: int) -> Way | None:
        """The way to run a version here; None: the exact one."""
        ...

    def want(self, version: int, run: int) -> Future[None]:
        """Have a way chosen if none is measured yet; the future ends with that, however it ends."""
        ...

    def start(self, on_chosen: OnChosen) -> None: ...

    def stop(self) -> None: ...


class ExactWays:
    """Every version is run in the exact way, and nothing is measured."""

    def way(self, version: int, run: int) -> Way | None:
        del version, run
        return None

    def want(self, version: int, run: int) -> Future[None]:
        """There is nothing to wait for."""
        del version, run
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def start(self, on_chosen: OnChosen) -> None:
        pass

    def stop(self) -> None:
        pass


class ChosenWays:
    """Reads choices from the record, and makes those that are missing for machines of this kind."""

    def __init__(self, sessions: sessionmaker[Session], machine: Callable[[], str], measure: Measure) -> None:
        """Prepare.

        Args:
            sessions: the database.
            machine: the kind of this machine, looked up once; raises DeviceUnavailable.
            measure: what makes a choice.
        """
        self._sessions, self._machine, self._measure = sessions, lru_cache(maxsize=1)(machine), measure
        self._wanted: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._pending: dict[int, Future[None]] = {}
        self._table = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="choosing", daemon=True)
        self._on_chosen: OnChosen | None = None

    def start(self, on_chosen: OnChosen) -> None:
        """Begin to choose; ``on_chosen`` is told of each version that has a way of its own since."""
        self._on_chosen = on_chosen
        self._thread.start()

    def stop(self) -> None:
        """End, with the measurement under way: nothing is recorded of it, and the version's next load begins anew."""
        with self._table:
            self._stopping = True
        self._wanted.put(None)
        self._measure.stop()
        if self._thread.ident is not None:
            # It may be fetching photos, which nothing ends; the process ends all the same.
            self._thread.join(STOP_SECONDS)
        with self._table:
            while self._pending:
                self._pending.popitem()[1].set_result(None)

    def way(self, version: int, run: int) -> Way | None:
        """The recorded way, or the exact one while one is chosen for the first load on such a machine."""
        recorded = self._recorded(version)
        if recorded is None:
            self.want(version, run)
        choice = choice_in(recorded) if recorded is not None else None
        return choice.way if choice is not None else None

    def want(self, version: int, run: int) -> Future[None]:
        """Have a way chosen if none is measured yet."""
        with self._table:
            pending = self._pending.get(version)
            if pending is None:
                pending = Future()
                if self._stopping:
                    pending.set_result(None)
                    return pending
                self._pending[version] = pending
                self._wanted.put((version, run))
            return pending

    def _recorded(self, version: int) -> ServingChoice | None:
        with self._sessions.begin() as session:
            return choice_on(session, version, self._machine())

    def _run(self) -> None:
        while (wanted := self._wanted.get()) is not None and not self._stopping:
            version, run = wanted
            try:
                self._choose(version, run)
            except (AppError, LearningError, SQLAlchemyError, OSError) as error:
                logger.warning("no way could be chosen for version %d: %s", version, error)
            except Exception:
                # The others that wait must not wait for ever, and the exact way serves this one.
                logger.exception("no way could be chosen for version %d", version)
            finally:
                with self._table:
                    if (pending := self._pending.pop(version, None)) is not None:
                        pending.set_result(None)

    def _choose(self, version: int, run: int) -> None:
        recorded = self._recorded(version)
        if recorded is None or recorded.content is None:
            self._record(version, run)
        # Another process may have chosen since this one loaded the version.
        if self._on_chosen is not None:
            self._on_chosen(version, run)

    def _record(self, version: int, run: int) -> None:
        content, reason = None, None
        try:
            content = self._measure(run).content()
        except NothingToCheckBy as error:
            reason = str(error)
        except ServiceUnavailable:
            # It may answer the next time.
            raise
        except (LearningError, AppError) as error:
            reason = error.detail
        if self._stopping and content is None:
            return
        with self._sessions.begin() as session:
            record_choice(session, version, self._machine(), content=content, reason=reason)
        logger.info("version %d: %s", version, reason or f"its way on {self._machine()} is chosen")
