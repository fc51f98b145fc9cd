"""Which model answers for which name: loaded and warmed up beside the old one, then swapped in."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.serving.batching import ClassifierLike
from ml.errors import LearningError
from store.artifacts import ArtifactStore
from store.cache_names import model_copy
from store.db.reading import for_judging, get_artifact
from store.db.registry import DEFAULT_ALIAS, resolve_model
from store.errors import AppError, NoModel, NotFound

logger = logging.getLogger(__name__)

MODEL_FILES = ("model.safetensors", "model.json")
MAX_LOADED = 3
MAX_FOLLOWED = 32
POLL_SECONDS = 1.0

Loader = Callable[[Path], ClassifierLike]


@dataclass(frozen=True)
class LoadedVersion:
    """A registered version with its model in memory."""

    version: int
    run: int
    classifier: ClassifierLike


class Predictor:
    """Names of models (an alias or a version number) and the models loaded for them.

    A watcher looks every second whether a followed name points elsewhere. It loads the new model beside the old one
    and swaps the two by one assignment: requests keep what they were given.
    """

    def __init__(self, *, sessions: sessionmaker[Session], artifacts: ArtifactStore, cache: Path, load: Loader) -> None:
        """Prepare, without loading anything.

        Args:
            sessions: the database.
            artifacts: where runs keep their model files.
            cache: folder for fetched model files.
            load: from a folder with the model files to a classifier.
        """
        self._sessions = sessions
        self._artifacts = artifacts
        self._cache = cache
        self._load = load
        self._followed: OrderedDict[str, LoadedVersion] = OrderedDict()
        self._loaded: OrderedDict[int, LoadedVersion] = OrderedDict()
        self._complaints: dict[str, str] = {}
        self._table = threading.Lock()
        self._pointing = threading.Lock()
        """Held from a look at the record to what comes of it, so that of two looks the later one counts."""
        self._loading = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="model-watcher", daemon=True)

    def start(self) -> None:
        """Begin to follow the production alias."""
        self._watcher.start()

    def stop(self) -> None:
        """End the watcher."""
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

    def follow(self, name: str) -> None:
        """Serve under ``name`` what the record says now; where that cannot be had, the old model goes on serving."""
        try:
            self._point(name)
            self._complaints.pop(name, None)
        except (NoModel, NotFound):
            self.forget(name)
        except (AppError, LearningError, SQLAlchemyError, OSError) as error:
            # The watcher's next look tries again.
            if self._complaints.get(name) != str(error):
                logger.warning("model %r could not be renewed: %s", name, error)
            self._complaints[name] = str(error)

    def forget(self, name: str) -> None:
        """Serve nothing under ``name`` until it is resolved again: its alias is gone."""
        with self._pointing, self._table:
            self._followed.pop(name, None)

    def ready(self, name: str) -> LoadedVersion | None:
        """The model in memory for ``name``, or None where it must be loaded first; never blocks."""
        with self._table:
            served = self._followed.get(name)
            if served is not None and served.version in self._loaded:
                self._loaded.move_to_end(served.version)
            return served

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
                with self._sessions.begin() as session:
                    version = resolve_model(session, name)
                    number, run = version.id, version.run_id
                with self._table:
                    served = self._loaded.get(number, mine)
                    if served is not None and served.version == number:
                        self._swap(name, served)
                        return served
            # Loading takes seconds, in which the record may change again.
            mine = self._loaded_version(number, run)

    def _swap(self, name: str, served: LoadedVersion) -> None:
        self._followed[name] = served
        while len(self._followed) > MAX_FOLLOWED:
            self._followed.popitem(last=False)
        # It may have been dropped since it was loaded.
        self._loaded.setdefault(served.version, served)
        self._drop_oldest()

    def _loaded_version(self, version: int, run: int) -> LoadedVersion:
        with self._loading:
            with self._table:
                found = self._loaded.get(version)
                if found is not None:
                    self._loaded.move_to_end(version)
                    return found
            served = LoadedVersion(version, run, self._read(run))
            with self._table:
                self._loaded[version] = served
                self._drop_oldest()
            return served

    def _drop_oldest(self) -> None:
        """Keep the latest used models and production's; a name whose model goes is loaded when it is asked for."""
        production = self._followed.get(DEFAULT_ALIAS)
        kept = production.version if production is not None else None
        while len(self._loaded) > MAX_LOADED:
            gone = next(version for version in self._loaded if version != kept)
            del self._loaded[gone]
            for name, served in list(self._followed.items()):
                if served.version == gone:
                    del self._followed[name]

    def _read(self, run: int) -> ClassifierLike:
        with self._sessions.begin() as session:
            files = [get_artifact(session, run, name) for name in MODEL_FILES]
            judging = for_judging(session, run)
        # By content: the services of several databases may share a cache, and each counts its runs from 1.
        folder = model_copy(self._cache, files[0].sha256)
        for file in [*files, *([judging] if judging is not None else [])]:
            self._artifacts.fetch(file.key, folder / file.name, expected_sha256=file.sha256)
        classifier = self._load(folder)
        classifier.warm_up()
        logger.info("run %d: its model is loaded", run)
        return classifier

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            with self._table:
                names = list({DEFAULT_ALIAS: None, **self._followed})
            for name in names:
                self.follow(name)
            self._wake.wait(POLL_SECONDS)
