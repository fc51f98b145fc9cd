import json
from pathlib import Path

import pytest
import torch

from ml.config import resolve, train_config
from ml.decode.images import Limits
from ml.errors import Stopped
from ml.fetch.weights import load_state
from ml.learn.model import build_model
from ml.learn.probe import head_alone, load_learned
from ml.serve.classifier import Classifier
from tests.ml.learn.test_training import Listener, config, folder, train

__all__ = ["folder"]

PROBE = {"recipe": "probe", "epochs": 8, "lr_max": 1e-2}


def test_a_head_alone_learns_what_the_whole_model_then_answers_with() -> None:
    torch.manual_seed(0)
    model = build_model("resnet18", 3, None).eval()
    alone = head_alone(model).eval()
    inputs = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        for one, other in zip(alone.outputs(model.pooled(inputs)), model.outputs(inputs), strict=True):
            torch.testing.assert_close(one, other)
    assert set(alone.state_dict()) < set(model.state_dict())


def test_a_model_takes_its_own_tensors_back_whole_or_the_head_s_alone() -> None:
    torch.manual_seed(0)
    learned, other = (build_model("resnet18", 3, None) for _ in range(2))
    body = other.body.state_dict()["0.weight"].clone()
    load_learned(other, head_alone(learned).state_dict())
    assert torch.equal(other.head.state_dict()["8.weight"], learned.head.state_dict()["8.weight"])
    assert torch.equal(other.body.state_dict()["0.weight"], body)
    load_learned(other, learned.state_dict())
    assert torch.equal(other.body.state_dict()["0.weight"], learned.body.state_dict()["0.weight"])
    with pytest.raises(RuntimeError, match="Missing key"):
        load_learned(other, {"0.0.weight": body})


def test_a_probe_learns_the_head_and_leaves_the_body_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    result, _ = train(folder, tmp_path / "out", config(**PROBE))
    other, _ = train(folder, tmp_path / "other", config(**{**PROBE, "epochs": 1}))
    assert result.reading.error_rate < 0.5
    first, second = (load_state(one.files["model.safetensors"]) for one in (result, other))
    body = [name for name in first if name.startswith("0.")]
    assert body
    assert all(torch.equal(first[name], second[name]) for name in body)
    assert not torch.equal(first["1.4.weight"], second["1.4.weight"])


def test_a_probe_s_model_serves_what_its_run_stored(folder: Path, tmp_path: Path) -> None:
    train(folder, tmp_path / "out", config(**PROBE))
    served = Classifier.load(tmp_path / "out", "cpu")
    for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines():
        row = json.loads(line)
        picture = served.prepare((folder / row["path"]).read_bytes(), Limits())
        stored = list(row["probabilities"].values())
        assert served.scores(list(served.run([picture]))) == pytest.approx(stored, abs=0.02)


def test_a_probe_that_is_stopped_goes_on_to_the_same_model(folder: Path, tmp_path: Path) -> None:
    whole, _ = train(folder, tmp_path / "whole", config(**PROBE))
    with pytest.raises(Stopped):
        train(folder, tmp_path / "parts", config(**PROBE), Listener(stop_at=5))
    parts, _ = train(folder, tmp_path / "parts", config(**PROBE))
    for name in ("model.safetensors", "predictions.jsonl"):
        assert whole.files[name].read_bytes() == parts.files[name].read_bytes()


@pytest.mark.thorough
def test_a_probe_with_patience_and_a_mean_that_is_stopped_goes_on_to_the_same_model(
    folder: Path, tmp_path: Path
) -> None:
    chosen = config(**PROBE, patience=1, weight_averaging=0.5)
    whole, _ = train(folder, tmp_path / "whole", chosen)
    with pytest.raises(Stopped):
        train(folder, tmp_path / "parts", chosen, Listener(stop_at=4))
    parts, _ = train(folder, tmp_path / "parts", chosen)
    for name in ("model.safetensors", "predictions.jsonl"):
        assert whole.files[name].read_bytes() == parts.files[name].read_bytes()


@pytest.mark.parametrize("name", ["cutmix", "erase", "trivial_augment"])
def test_what_changes_photos_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="a probe reads each as it is"):
        resolve(train_config.validate_python({"recipe": "probe", name: name == "trivial_augment" or 0.5}))
