"""Why a model answered as it did: heat maps, one at a time, beside the predictions and not in their way."""

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from api.http.turns import Turns
from ml.decode.images import Limits
from ml.serve.one_core import use_one_core
from ml.serve.why import Explainer
from store.errors import InvalidRequest

MOST_WAITING = 8
_NAMED = 5


class Explaining:
    """The model explained last is kept in memory, beside the one that serves: it is run in another way."""

    def __init__(self, folder_of: Callable[[int], Path]) -> None:
        """``folder_of`` brings the files of a run's model."""
        self._folder_of = folder_of
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="explain", initializer=use_one_core, initargs=(torch.get_num_threads(),)
        )
        self._turns = Turns(MOST_WAITING, "explanations are being drawn or waiting")
        self._kept: tuple[int, Explainer] | None = None

    def close(self) -> None:
        """Take no more, and wait for the one that has begun."""
        self._thread.shutdown(cancel_futures=True)

    def begin(self, run: int, data: bytes, limits: Limits, breed: str | None) -> "Future[bytes]":
        """The heat map of a picture as PNG, once it is drawn.

        Raises:
            TooBusy: too many wait already.
        """
        self._turns.take()
        drawn = self._thread.submit(self._drawn, run, data, limits, breed)
        drawn.add_done_callback(lambda _: self._turns.give_back())
        return drawn

    def _drawn(self, run: int, data: bytes, limits: Limits, breed: str | None) -> bytes:
        explainer = self._explainer(run)
        if breed is not None and breed not in explainer.about.vocab:
            known = ", ".join(explainer.about.vocab[:_NAMED])
            hint = f"Name one of the model's {len(explainer.about.vocab)} breeds, such as {known}."
            raise InvalidRequest("the model knows no such breed", hint, field="query.breed", value=breed[:80])
        out = io.BytesIO()
        explainer.explain(data, limits, breed).save(out, "PNG", compress_level=3)
        return out.getvalue()

    def _explainer(self, run: int) -> Explainer:
        if self._kept is None or self._kept[0] != run:
            self._kept = None  # two of the largest at a time are more than a small machine holds
            self._kept = (run, Explainer.load(self._folder_of(run)))
        return self._kept[1]
