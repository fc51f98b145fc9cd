"""Whether an export answers as the model does that it was made of."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ml.augment.augment import validation_input
from ml.decode.images import Limits, view
from ml.decode.views import View
from ml.errors import ExportRefused
from ml.learn.losses import scores_of
from ml.learn.precision import Precision
from ml.serve.export.carried.predict import Floats, Model
from ml.serve.export.portable import Portable

TOLERANCE = 1e-3
"""The most that a probability may differ by."""
_MADE_UP = 3


@dataclass(frozen=True)
class Agreement:
    """How an export's probabilities differ from the model's own, in float32.

    ``served_precision`` is what the service runs the model in on the machine where this was made, and
    ``difference_to_served`` the largest difference from that: bf16 moves probabilities by more than an export does.
    """

    made_up_images: int
    validation_photos: int
    largest_difference: float
    tolerance: float
    first_breed_equal: int
    served_precision: str
    difference_to_served: float

    def content(self) -> dict[str, Any]:
        return asdict(self)


def compare(model: Portable, folder: Path, photos: Sequence[bytes], limits: Limits) -> Agreement:
    """Run the export in ``folder``, which has its manifest, by the script that it carries.

    Args:
        model: what it was made of.
        folder: what will be packed.
        photos: files of pictures, such as those that the model was validated on.
        limits: what one of them may cost.

    Raises:
        ExportRefused: it does not answer as the model does.
        ImageRejected: a photo is not a picture within the limits.
    """
    squares = np.stack([*_made_up(model.about.presize), *(_square(model, photo, limits) for photo in photos)])
    found = Model(folder).probabilities(squares)
    exact = _scores(model, squares, Precision("fp32", "the most exact"))
    served = _scores(model, squares, Precision(model.served_precision, "as it is served"))
    agreement = Agreement(
        made_up_images=_MADE_UP,
        validation_photos=len(photos),
        largest_difference=float(np.abs(found - exact).max()),
        tolerance=TOLERANCE,
        first_breed_equal=int((found.argmax(1) == exact.argmax(1)).sum()),
        served_precision=model.served_precision,
        difference_to_served=float(np.abs(found - served).max()),
    )
    # Said so that a NaN, which is neither more nor less than anything, is refused too.
    if not agreement.largest_difference <= TOLERANCE:
        detail = f"the export's probabilities differ from the model's by {agreement.largest_difference:.2g}"
        raise ExportRefused(f"{detail}, at most {TOLERANCE:g} is allowed", "Export it in another format.")
    return agreement


def _made_up(presize: int) -> npt.NDArray[np.uint8]:
    """Noise, a colour that runs into another, and black: uint8 [3,presize,presize,3], the same every time."""
    noise = np.random.default_rng(0).integers(0, 256, (presize, presize, 3))
    run = np.linspace(0, 255, presize)
    colours = np.stack(np.broadcast_arrays(run[:, None], run[None], run[::-1, None]), -1)
    return np.stack([noise, colours, np.zeros_like(noise)]).astype(np.uint8)


def _square(model: Portable, photo: bytes, limits: Limits) -> npt.NDArray[np.uint8]:
    """As the service decodes and presizes it."""
    wanted = View("squares", model.about.presize, (0.5,))
    found: npt.NDArray[np.uint8] = view(photo, limits, wanted, model.about.decoding)[0][0]
    return found


def _scores(model: Portable, squares: npt.NDArray[np.uint8], precision: Precision) -> Floats:
    """As the service answers in a precision, calibrated: float32 [n, classes]."""
    with torch.inference_mode(), precision.autocast(torch.device("cpu")):
        logits, _ = model.graph.of_input(validation_input(torch.from_numpy(squares), model.about.size))
    calibrated = logits.float() / model.calibration.temperature + model.calibration.bias
    found: Floats = scores_of(model.loss, calibrated).float().numpy()
    return found
