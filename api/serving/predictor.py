"""Which model answers for which name: loaded and warmed up beside the old one, then swapped in."""

import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.serving.batching import ClassifierLike
from api.serving.canary import is_for_canary
from api.serving.choosing import Ways
from api.serving.model_files import model_folder
from ml.errors import LearningError
from ml.serve.starting import start
from ml.serve.way import Way
from store.artifacts import ArtifactStore
from store.db.aliases import Canary, Target, target_of
from store.db.registry import DEFAULT_ALIAS, SHADOW_ALIAS
from store.errors import AppError, NoModel, NotFound

logger = logging.getLogger(__name__)

MAX_OTHERS = 2
"""Versions in memory that were asked for last, beside those that production needs."""
MAX_FOLLOWED = 32
POLL_SECONDS = 1.0

Loader = Callable[[Path, Way | None], ClassifierLike]
"""From a folder with a model's files and the way to run it (None: the exact one) to a classifier."""


@dataclass(frozen=True)
class LoadedVersion:
    """A registered version with its model in memory."""

    version: int
    run: int
    classifier: ClassifierLike
    way: Way | None = None
    """As it was chosen; None: the exact one."""


@dataclass(frozen=True)
class LoadedCanary:
    """A canary with its model in memory, and its share of the requests, 0 to 1."""

    served: LoadedVersion
    share: float

    def takes(self, photo: bytes) -> bool:
        """Whether it answers the request that has this photo, or the first ``LOOKED_AT`` bytes of it."""
        return is_for_canary(photo, self.served.version, self.share)


class Predictor:
    """Names of models (an alias or a version number) and the models loaded for them.

    A watcher looks every second whether a followed name points elsewhere. It loads the new model beside the old one
    and swaps the two by one assignment. Requests keep what they were given: a model that was swapped out, or made room
    for another, goes from memory with the last of them.
    """

    def __init__(
        self, *, sessions: sessionmaker[Session], artifacts: ArtifactStore, cache: Path, load: Loader, ways: Ways
    ) -> None:
        """Prepare, without loading anything.

        Args:
            sessions: the database.
            artifacts: where runs keep their model files.
            cache: folder for fetched model files.
            load: from a folder with the model files to a classifier.
            ways: how each version is run here.
        """
        self._sessions = sessions
        self._artifacts = artifacts
        self._cache = cache
        self._load = load
        self._ways = ways
        self._followed: OrderedDict[str, LoadedVersion] = OrderedDict()
        self._canaries: dict[str, LoadedCanary] = {}
        self._loaded: OrderedDict[int, LoadedVersion] = OrderedDict()
        self._once_loaded: list[weakref.ref[ClassifierLike]] = []
        self._complaints: dict[str, str] = {}
        self._table = threading.Lock()
        self._pointing = threading.Lock()
        """Held from a look at the record to what comes of it, so that of two looks the later one counts."""
        self._loading = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="model-watcher", daemon=True)

    def start(self) -> None:
        """Begin to follow the production alias, and to choose ways."""
        self._ways.start(self.renew)
        self._watcher.start()

    def stop(self) -> None:
        self._ways.stop()
        self._stopping.set()
        self._wake.set()
        if self._watcher.ident is not None:
            self._watcher.join()

    def prepare(self, version: int, run: int) -> None:
        """Have a version in memory before an alias is pointed at it; blocks while it loads.

        Raises:
            NotReady: the run has no model files on record.
            ArtifactMissing: the model's files are gone.
            CheckpointInvalid: the model's files cannot be read.
        """
        self._loaded_version(version, run)

    def choose(self, version: int, run: int) -> Future[None]:
        """Have a way chosen for a version if none is measured yet; the future ends with that, however it ends."""
        return self._ways.want(version, run)

    def follow(self, name: str) -> None:
        """Serve under ``name`` what the record says now; where that cannot be had, the old model goes on serving."""
        try:
            self._point(name)
            self._load_canary(name)
            self._complaints.pop(name, None)
        except (NoModel, NotFound):
            self.forget(name)
        except (AppError, LearningError, SQLAlchemyError, OSError) as error:
            # The watcher's next look tries again.
            if self._complaints.get(name) != str(error):
                logger.warning("model %r could not be renewed: %s", name, error)
            self._complaints[name] = str(error)

    def renew(self, version: int, run: int) -> None:
        """Load a version anew where a way was chosen for it since it was loaded, and swap; blocks while it loads."""
        with self._loading:
            loaded = self._loaded.get(version)
            if loaded is None or loaded.way == self._ways.way(version, run):
                return
            anew = self._read(version, run)
            with self._table:
                if version in self._loaded:
                    self._loaded[version] = anew
                self._followed.update({name: anew for name, one in self._followed.items() if one.version == version})
                for name, canary in self._canaries.items():
                    if canary.served.version == version:
                        self._canaries[name] = LoadedCanary(anew, canary.share)

    def forget(self, name: str) -> None:
        """Serve nothing under ``name`` until it is resolved again: its alias is gone."""
        with self._pointing, self._table:
            self._followed.pop(name, None)
            self._canaries.pop(name, None)

    def drop(self, version: int) -> None:
        """Forget a version that was deleted; requests that were given its model keep it."""
        self.forget(str(version))
        with self._loading, self._table:
            self._loaded.pop(version, None)

    def ready(self, name: str) -> LoadedVersion | None:
        """The model in memory for ``name``, or None where it must be loaded first; never blocks."""
        with self._table:
            served = self._followed.get(name)
            for version in self._versions_of(name):
                if version in self._loaded:
                    self._loaded.move_to_end(version)
            return served

    def canary(self, name: str) -> LoadedCanary | None:
        """The canary of ``name`` where it has one in memory; never blocks."""
        return self._canaries.get(name)

    def in_memory(self) -> int:
        """Models in memory, those too that only requests under way still hold."""
        with self._table:
            return sum(one() is not None for one in self._once_loaded)

    def serve(self, name: str) -> LoadedVersion:
        """The model for ``name``, loaded if need be; blocks while it loads.

        Raises:
            NoModel: nothing is registered under the alias.
            NotFound: no such version.
            ArtifactMissing: the model's files are gone.
            CheckpointInvalid: the model's files cannot be read.
        """
        found = self.ready(name)
        return found if found is not None else self._point(name)

    def _point(self, name: str) -> LoadedVersion:
        """Point ``name`` at what the record says now, loaded if need be, and return it."""
        mine: LoadedVersion | None = None
        while True:
            with self._pointing:
                target = self._target(name)
                with self._table:
                    served = self._loaded.get(target.version, mine)
                    if served is not None and served.version == target.version:
                        self._swap(name, served, target.canary)
                        return served
            # Loading takes seconds, in which the record may change again.
            mine = self._loaded_version(target.version, target.run)

    def _load_canary(self, name: str) -> None:
        """Have the canary of ``name`` in memory where the record names one; its version serves meanwhile."""
        while True:
            target = self._target(name)
            if target.canary is None or target.canary_run is None:
                return
            loaded = self.canary(name)
            if loaded is not None and loaded.served.version == target.canary.version:
                return
            self._loaded_version(target.canary.version, target.canary_run)
            self._point(name)

    def _target(self, name: str) -> Target:
        with self._sessions.begin() as session:
            return target_of(session, name)

    def _swap(self, name: str, served: LoadedVersion, canary: Canary | None) -> None:
        self._followed[name] = served
        while len(self._followed) > MAX_FOLLOWED:
            oldest = next(one for one in self._followed if one not in {DEFAULT_ALIAS, SHADOW_ALIAS})
            del self._followed[oldest]
            self._canaries.pop(oldest, None)
        # It may have been dropped since it was loaded.
        self._loaded.setdefault(served.version, served)
        loaded = self._loaded.get(canary.version) if canary is not None else None
        if canary is not None and loaded is not None:
            self._canaries[name] = LoadedCanary(loaded, canary.share)
        else:
            self._canaries.pop(name, None)
        self._drop_oldest()

    def _loaded_version(self, version: int, run: int) -> LoadedVersion:
        with self._loading:
            with self._table:
                found = self._loaded.get(version)
                if found is not None:
                    self._loaded.move_to_end(version)
                    return found
            served = self._read(version, run)
            with self._table:
                self._loaded[version] = served
                self._drop_oldest()
            return served

    def _drop_oldest(self) -> None:
        """Keep the latest used models and production's; a name whose model goes is loaded when it is asked for."""
        kept = self._production()
        others = [version for version in self._loaded if version not in kept]
        for gone in others[: max(0, len(others) - MAX_OTHERS)]:
            del self._loaded[gone]
            for name in [name for name in self._followed if gone in self._versions_of(name)]:
                del self._followed[name]
                self._canaries.pop(name, None)

    def _production(self) -> set[int]:
        """The versions that production needs: its own, its canary's and the shadow's."""
        return self._versions_of(DEFAULT_ALIAS) | self._versions_of(SHADOW_ALIAS)

    def _versions_of(self, name: str) -> set[int]:
        served, canary = self._followed.get(name), self._canaries.get(name)
        return {*([served.version] if served else []), *([canary.served.version] if canary else [])}

    def _read(self, version: int, run: int) -> LoadedVersion:
        folder = model_folder(self._sessions, self._artifacts, self._cache, run)
        way = self._ways.way(version, run)
        classifier = self._started(folder, way)
        with self._table:
            alive = [one for one in self._once_loaded if one() is not None]
            self._once_loaded = [*alive, weakref.ref(classifier)]
        logger.info("run %d: its model is loaded", run)
        return LoadedVersion(version, run, classifier, way)

    def _started(self, folder: Path, way: Way | None) -> ClassifierLike:
        def failed(error: Exception) -> None:
            logger.warning("the way %s does not run here, the exact one is used: %s", way, error)

        return start(lambda way: self._load(folder, way), way, failed)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            with self._table:
                names = list({DEFAULT_ALIAS: None, SHADOW_ALIAS: None, **self._followed})
            for name in names:
                self.follow(name)
            self._wake.wait(POLL_SECONDS)
