"""Why a model answered as it did: heat maps, one at a time, beside the predictions and not in their way."""

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from api.http.turns import Turns
from api.serving.decoding import Pending
from ml.decode.images import Limits, unless
from ml.errors import Stopped
from ml.serve.one_core import use_one_core
from ml.serve.why import Explainer
from store.errors import AppError, InvalidRequest, ServiceUnavailable

MOST_WAITING = 8
_NAMED = 5


@dataclass(frozen=True)
class Why:
    """What is to be explained: what of a picture speaks for a breed (None: the likeliest) in a run's model.

    ``over`` says why nobody waits for it any more; None while somebody does.
    """

    run: int
    breed: str | None
    over: Callable[[], AppError | None]


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

    def begin(self, why: Why, data: bytes, limits: Limits, pending: Pending[bytes]) -> None:
        """Have the heat map of a picture drawn as PNG, and ``pending`` be told; what is over before is not drawn.

        Raises:
            TooBusy: too many wait already.
        """
        self._turns.take()
        drawn = self._thread.submit(self._draw, why, data, limits, pending)
        drawn.add_done_callback(lambda done: self._end(done, pending))

    def _end(self, done: "Future[None]", pending: Pending[bytes]) -> None:
        self._turns.give_back()
        if done.cancelled():
            pending.fail(ServiceUnavailable("the service is stopping"))

    def _draw(self, why: Why, data: bytes, limits: Limits, pending: Pending[bytes]) -> None:
        if why.over() is not None:
            return  # whoever waited was told
        try:
            with unless(lambda: why.over() is not None):
                pending.give(self._drawn(why, data, limits))
        except Stopped:
            return  # as above
        except Exception as error:  # noqa: BLE001 - it belongs to the request, not to this thread
            pending.fail(error)

    def _drawn(self, why: Why, data: bytes, limits: Limits) -> bytes:
        explainer, breed = self._explainer(why.run), why.breed
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
