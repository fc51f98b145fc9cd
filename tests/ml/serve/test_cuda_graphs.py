"""Captured graphs answer as the exact way does, whatever the batch's size. All but one need a GPU."""

from pathlib import Path

import numpy as np
import pytest

from ml.decode.images import Limits
from ml.serve.classifier import Classifier
from ml.serve.cuda_graphs_engine import SIZES, size_for
from ml.serve.way import NumberFormat, Way
from tests.ml.pictures import jpeg
from tests.ml.serve.models import write_model


def test_a_batch_goes_through_the_smallest_graph_that_holds_it() -> None:
    assert [size_for(count) for count in (1, 2, 3, 5, 16, 17, 64)] == [1, 2, 4, 8, 16, 32, 64]


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.05)])
def test_every_size_puts_out_what_torch_does(precision: NumberFormat, tolerance: float, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", precision=precision)
    exact = Classifier.load(folder, "cuda")
    quick = Classifier.load(folder, "cuda", Way("cuda_graphs", precision, "exact"))
    pictures = [exact.prepare(jpeg(seed=seed), Limits()) for seed in range(SIZES[0] + 3)]
    # From many to one: rows left by a larger batch must not show.
    for count in (len(pictures), 64, 33, 5, 3, 1):
        expected, found = exact.run(pictures[:count]), quick.run(pictures[:count])
        scale = float(np.abs(expected.logits).max())
        assert found.logits == pytest.approx(expected.logits, abs=tolerance * scale)
        assert found.features.shape == expected.features.shape
    quick.close()
