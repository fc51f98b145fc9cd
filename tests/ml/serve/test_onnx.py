"""ONNX: the same answers as the network for any number of pictures, and nothing is left behind in this process."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import ml.serve.onnx
from ml.augment import lighting
from ml.errors import ExportRefused
from ml.serve.graph import ServedGraph
from ml.serve.onnx import PIXELS, onnx_of
from tests.ml.toys import CLASSES, toy

SIDE = 12


def graph() -> ServedGraph:
    torch.manual_seed(1)
    return ServedGraph(toy(dropout=0.5))


def test_it_answers_as_the_network_does_for_any_number_of_pictures() -> None:
    network = graph()
    session = onnxruntime.InferenceSession(onnx_of(network, SIDE, ("logits", "features")))
    for count in (1, 2, 5):
        pixels = torch.randint(0, 256, (count, SIDE, SIDE, 3), dtype=torch.uint8)
        logits, features = session.run(["logits", "features"], {PIXELS: pixels.numpy()})
        assert logits.shape == (count, CLASSES)
        for found, expected in zip((logits, features), network(pixels), strict=True):
            assert found == pytest.approx(expected.numpy(), abs=1e-5)


def test_what_is_exported_first_in_a_process_leaves_no_stand_ins_for_later_pictures() -> None:
    lighting._statistics.cache_clear()
    onnx_of(graph(), SIDE, ("logits", "features"))
    assert type(lighting.normalise(torch.zeros(1, 3, 2, 2))) is torch.Tensor
    assert lighting.normalise(torch.zeros(1, 3, 2, 2)).numpy()[0, 0, 0, 0] == pytest.approx(-0.485 / 0.229)


def test_a_network_that_one_file_cannot_hold_is_refused_before_it_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ml.serve.onnx, "MOST_BYTES", 100)
    with pytest.raises(ExportRefused) as refused:
        onnx_of(graph(), SIDE, ("logits", "features"))
    assert refused.value.hint is not None


def test_a_file_holds_all_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_of(graph(), SIDE, ("logits", "features")))
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere" / "moved.onnx")
    session = onnxruntime.InferenceSession(moved)
    zeros = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    assert session.run(None, {PIXELS: zeros})[0].shape == (1, CLASSES)
