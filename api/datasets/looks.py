"""Looking at a dataset: its near-duplicates, a batch, what presizing saves, one item's steps. No model is run."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, TypeVar

import torch
from PIL import Image

from api.datasets.photos import OpenBundle, PhotoShelf
from api.http.turns import Turns
from ml.config import TrainSettings
from ml.data.manifest import Manifest
from ml.data.near_duplicates import NearDuplicates, find_near_duplicates
from ml.data.single_item import open_item, presize
from ml.data.split import choose_split
from ml.decode.images import Limits
from ml.look.contact_sheet import PAPERS, Scheme
from ml.look.item_steps import Passage, follow
from ml.look.labelled_batch import Shown, choose_items, draw_batch, make_batch
from ml.look.presizing import compare, strong_draws
from ml.look.presizing_figure import draw_presizing
from ml.serve.one_core import use_one_core
from store.db.models import Dataset
from store.errors import InvalidRequest, NotFound

AT_ONCE = 2
MOST_WAITING = 8
"""Looks that are worked on, and looks in all: the rest of the service's threads stay free for other requests."""

MAX_KEPT = 4
MAX_BATCH = 64
_PNG_EFFORT = 3
"""Of 9: photos hardly shrink further, and take three times as long."""

Side = Literal["train", "valid"]
Made = TypeVar("Made")
_SIDES = {"train": "training", "valid": "validation"}


@dataclass(frozen=True)
class ManifestPairs:
    """A dataset's near-duplicates with the manifest that their positions are of."""

    manifest: Manifest
    pairs: NearDuplicates


class Looks:
    """Looks at datasets, at most two at a time; over eight waiting, the next is sent away.

    Every method raises:
        TooBusy: too many looks are waiting already.
        ArtifactMissing: the dataset's files are gone or are not those that were imported.
        ServiceUnavailable: the artifact store does not answer.
    """

    def __init__(self, photos: PhotoShelf, limits: Limits) -> None:
        self._photos = photos
        self._limits = limits
        self._pairs: OrderedDict[str, ManifestPairs] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = Turns(MOST_WAITING, "looks at datasets are being drawn or waiting")
        self._easels = ThreadPoolExecutor(
            AT_ONCE, thread_name_prefix="look", initializer=use_one_core, initargs=(torch.get_num_threads(),)
        )

    def close(self) -> None:
        """Take no more looks, and wait for those that have begun."""
        self._easels.shutdown(cancel_futures=True)

    def near_duplicates(self, dataset: Dataset) -> ManifestPairs:
        """Every pair of near-duplicates, found once for each revision."""
        with self._lock:
            known = self._pairs.get(dataset.revision)
        if known is not None:
            return known
        found = self._in_turn(lambda: self._find(dataset.revision))
        # Of a manifest without perceptual hashes nothing is kept: importing again adds them.
        if found.pairs.near_known:
            self._keep(dataset.revision, found)
        return found

    def batch(
        self, dataset: Dataset, side: Side, n: int, settings: TrainSettings, shown: Shown, scheme: Scheme = "light"
    ) -> bytes:
        """A labelled batch as PNG; a side with fewer than ``n`` items is shown whole.

        Raises:
            InvalidRequest: the split leaves nothing on the side.
        """
        return self._in_turn(lambda: self._draw_batch(dataset, side, n, settings, shown, scheme))

    def presizing(
        self, dataset: Dataset, item: int, seed: int, settings: TrainSettings, scheme: Scheme = "light"
    ) -> bytes:
        """What presizing saves on an item, as PNG.

        Raises:
            NotFound: the dataset has no such item.
        """
        return self._in_turn(lambda: self._draw_presizing(dataset, item, seed, settings, scheme))

    def steps(self, dataset: Dataset, item: int, settings: TrainSettings, *, resize: bool) -> Passage:
        """An item from file to model input.

        Raises:
            NotFound: the dataset has no such item.
        """
        return self._in_turn(lambda: self._follow(dataset, item, settings, resize=resize))

    def _find(self, revision: str) -> ManifestPairs:
        manifest = self._photos.manifest(revision)
        return ManifestPairs(manifest, find_near_duplicates(manifest))

    def _draw_batch(
        self, dataset: Dataset, side: Side, n: int, settings: TrainSettings, shown: Shown, scheme: Scheme
    ) -> bytes:
        manifest, bundle = self._open(dataset)
        split = choose_split(manifest, settings)
        items = choose_items(split.train if side == "train" else split.valid, n, settings.seed)
        if not items:
            detail = f"valid_pct {settings.valid_pct} of {len(manifest.items)} items leaves none for {_SIDES[side]}"
            raise InvalidRequest(detail, "Choose another valid_pct.")
        batch = make_batch(manifest, bundle, items, settings, shown=shown, limits=self._limits)
        title = f"{manifest.name} · {_items(len(items))} of the {_SIDES[side]} side · seed {settings.seed}"
        return _as_png(draw_batch(manifest, batch, title=title, shown=shown, paper=PAPERS[scheme]))

    def _draw_presizing(self, dataset: Dataset, item: int, seed: int, settings: TrainSettings, scheme: Scheme) -> bytes:
        manifest, bundle = self._open(dataset, item)
        opened = open_item(manifest, bundle, item, self._limits)
        with torch.inference_mode():
            source = torch.from_numpy(presize(opened.image, settings.presize).centre())
            found = compare(source, strong_draws(seed), settings.size)
        title = f"{manifest.name} · item {item}, {PurePath(opened.item.path).name} · {opened.item.label} · seed {seed}"
        return _as_png(draw_presizing(found, title=title, drawn=manifest.drawn, paper=PAPERS[scheme]))

    def _follow(self, dataset: Dataset, item: int, settings: TrainSettings, *, resize: bool) -> Passage:
        manifest, bundle = self._open(dataset, item)
        with torch.inference_mode():
            return follow(manifest, bundle, item, settings, resize=resize, limits=self._limits)

    def _open(self, dataset: Dataset, item: int = 0) -> tuple[Manifest, OpenBundle]:
        """The dataset's files; two names may share them, so the name is the one that was asked for."""
        if not 0 <= item < dataset.items:
            detail = f"dataset {dataset.name!r} has {dataset.items} items, and no item {item}"
            raise NotFound(detail, f"Give a number from 0 to {dataset.items - 1}.")
        bundle = self._photos.bundle(dataset.revision)
        return bundle.manifest.model_copy(update={"name": dataset.name, "drawn": dataset.drawn}), bundle

    def _keep(self, revision: str, found: ManifestPairs) -> None:
        with self._lock:
            self._pairs[revision] = found
            self._pairs.move_to_end(revision)
            while len(self._pairs) > MAX_KEPT:
                self._pairs.popitem(last=False)

    def _in_turn(self, look: Callable[[], Made]) -> Made:
        with self._turns.one():
            return self._easels.submit(look).result()


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _as_png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=_PNG_EFFORT)
    return out.getvalue()
