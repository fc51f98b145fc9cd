"""A model's OpenVINO graph is made once, and only a whole one is read."""

from pathlib import Path

import numpy as np
import pytest

from ml import cache_names
from ml.decode.images import Limits
from ml.serve import engines
from ml.serve.classifier import Classifier
from ml.serve.openvino_door import openvino
from ml.serve.openvino_model import body_model
from ml.serve.way import Way
from tests.ml.pictures import jpeg
from tests.ml.serve.models import write_model

WAY = Way("openvino", "fp32", "direct")


class Makings:
    """How often a graph was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._make = body_model
        monkeypatch.setattr(engines, "body_model", self)

    def __call__(self, *words: object) -> object:
        self.count += 1
        return self._make(*words)  # type: ignore[arg-type]


@pytest.fixture
def makings(monkeypatch: pytest.MonkeyPatch) -> Makings:
    return Makings(monkeypatch)


def logits(folder: Path) -> object:
    model = Classifier.load(folder, "cpu", WAY)
    found = model.run([model.prepare(jpeg(), Limits())]).logits.tolist()
    model.close()
    return found


def test_it_is_made_once_and_answers_alike(tmp_path: Path, makings: Makings) -> None:
    folder = write_model(tmp_path / "model")
    first = logits(folder)
    assert (logits(folder), makings.count) == (first, 1)
    (graph,) = folder.glob("graph-*")
    assert sorted(file.name for file in graph.iterdir()) == ["body.bin", "body.xml", "sha256"]


@pytest.mark.parametrize(
    "name", ["body.bin", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("body.xml", "sha256"))]
)
def test_one_that_is_not_whole_is_made_again(name: str, tmp_path: Path, makings: Makings) -> None:
    folder = write_model(tmp_path / "model")
    expected = logits(folder)
    (file,) = folder.glob(f"graph-*/{name}")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert (logits(folder), makings.count) == (expected, 2)
    assert (logits(folder), makings.count) == (expected, 2), "the new one is whole"


@pytest.mark.thorough
def test_other_weights_or_another_size_have_another_graph(tmp_path: Path, makings: Makings) -> None:
    folder = write_model(tmp_path / "model")
    first = logits(folder)
    write_model(folder, size=40)
    assert logits(folder) != first
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4:] = np.float32(1.5).tobytes()
    weights.write_bytes(content)
    logits(folder)
    assert makings.count == 3


def test_without_room_the_model_answers_all_the_same(
    tmp_path: Path, makings: Makings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "model")

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(openvino, "save_model", full)
        expected = logits(folder)
    assert not list(folder.glob("graph-*"))
    assert (logits(folder), makings.count) == (expected, 2)


def test_one_that_was_being_made_is_known_as_a_leftover(tmp_path: Path) -> None:
    left = tmp_path / "models" / ("0" * 64) / f"{cache_names.GRAPH_BEGUN}abcd_123"
    left.mkdir(parents=True)
    (pattern,) = (key for key in cache_names.BEGUN if key.startswith("models/"))
    assert list(tmp_path.glob(pattern)) == [left]
