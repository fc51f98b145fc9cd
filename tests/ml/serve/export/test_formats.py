"""Every family in every format answers as the service does, by the script that the archive carries."""

import hashlib
import json
import math
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from ml.augment.resample import resize_exactly
from ml.decode.images import Limits
from ml.errors import CheckpointInvalid, ExportRefused
from ml.learn.losses import scores_of
from ml.serve.classifier import Classifier
from ml.serve.export import check, formats
from ml.serve.export.archive import export
from ml.serve.export.carried.predict import Model, resize_matrix, square
from ml.serve.export.forms import Form
from ml.serve.export.manifest import Origin
from ml.serve.export.portable import Portable
from tests.ml.pictures import jpeg
from tests.ml.serve.trained import PRESIZE, VOCAB, calibrated, trained

FORMS: tuple[Form, ...] = get_args(Form)
LIMITS = Limits()


def unpacked(model: Path, form: Form, work: Path, photos: Sequence[bytes] = ()) -> Path:
    """The folder that a user has after unpacking an export."""
    inside, out = work / f"{form}-work", work / form
    inside.mkdir(parents=True)
    archive = export(model, form, Origin(3, 12), inside, photos=photos, limits=LIMITS, on_stage=lambda _: None)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(out)
    return out / f"model-3-{form}"


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def served(model: Path, photo: bytes) -> dict[str, float]:
    """What the service answers for a photo."""
    classifier = Classifier.load(model, "cpu")
    judged = classifier.judge(list(classifier.run([classifier.prepare(photo, LIMITS)])))
    return dict(zip(VOCAB, judged.probabilities.tolist(), strict=True))


@pytest.mark.parametrize(
    "arch",
    [
        "resnet18",
        pytest.param("convnext_tiny", marks=pytest.mark.thorough),
        pytest.param("efficientnet_b0", marks=pytest.mark.thorough),
        pytest.param("mobilenet_v3_small", marks=pytest.mark.thorough),
        pytest.param("regnet_y_400mf", marks=pytest.mark.thorough),
        pytest.param("swin_t", marks=pytest.mark.thorough),
        pytest.param("vit_b_32", marks=pytest.mark.thorough),
    ],
)
def test_every_family_answers_in_every_format_as_the_network_does(arch: str, tmp_path: Path) -> None:
    model = Portable.load(trained(tmp_path / "model", arch))
    squares = np.random.default_rng(1).integers(0, 256, (3, PRESIZE, PRESIZE, 3)).astype(np.uint8)
    with torch.inference_mode():
        expected = model.network(torch.from_numpy(squares)).numpy()
    assert expected.sum(1) == pytest.approx(1, abs=1e-5)
    for form in FORMS:
        folder = tmp_path / form
        folder.mkdir()
        formats.FORMATS[form].write(model, folder)
        prepare = {"presize": PRESIZE, "size": 64, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        told: dict[str, Any] = {"format": form, "vocab": VOCAB, "model": {"arch": arch}}
        told["prepare"] = {**prepare, "temperature": 1.0, "bias": 0.0, "scores": "sum_to_one"}
        (folder / "manifest.json").write_text(json.dumps(told))
        for count in (1, 3):
            found = Model(folder).probabilities(squares[:count])
            assert found == pytest.approx(expected[:count], abs=1e-4), form


@pytest.mark.parametrize(
    "form", ["onnx", *(pytest.param(form, marks=pytest.mark.thorough) for form in FORMS if form != "onnx")]
)
def test_the_carried_script_answers_for_a_photo_as_the_service_does(form: Form, tmp_path: Path) -> None:
    model = trained(tmp_path / "model")
    calibrated(model, temperature=2.5)
    photo = jpeg(300, 200, seed=5)
    folder = unpacked(model, form, tmp_path, [jpeg(seed=1)])
    path = tmp_path / "a photo.jpg"
    path.write_bytes(photo)
    expected = served(model, photo)
    assert Model(folder).predict(path) == pytest.approx(expected, abs=1e-3)
    for command in ([sys.executable, str(folder / "predict.py")], ["sh", str(folder / "predict.sh")]):
        ended = subprocess.run(
            [*command, str(path), "--all"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        )
        said = json.loads(ended.stdout)
        assert said["probabilities"] == pytest.approx(expected, abs=1e-3)
        assert said["breed"] == max(expected, key=expected.__getitem__)
        assert ended.stderr == ""


@pytest.mark.parametrize("form", [pytest.param("onnx", marks=pytest.mark.thorough), "safetensors"])
def test_a_model_of_binary_cross_entropy_scores_each_breed_on_its_own(form: Form, tmp_path: Path) -> None:
    model = trained(tmp_path / "model", loss="binary_cross_entropy")
    raw = served(model, jpeg(seed=4))
    calibrated(model, temperature=2.5, bias=-0.75, loss="binary_cross_entropy")
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(seed=4))
    folder = unpacked(model, form, tmp_path)
    assert manifest_of(folder)["format_version"] == 2
    found = Model(folder).predict(path)
    expected = {breed: _sigmoid(_logit(score) / 2.5 - 0.75) for breed, score in raw.items()}
    assert sum(found.values()) != pytest.approx(1, abs=0.01)
    assert found == pytest.approx(expected, abs=1e-3)
    assert found == pytest.approx(served(model, jpeg(seed=4)), abs=1e-3)


def _logit(score: float) -> float:
    return math.log(score / (1 - score))


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_an_archive_says_what_it_is_and_holds_its_hashes(tmp_path: Path) -> None:
    folder = unpacked(trained(tmp_path / "model"), "safetensors", tmp_path, [jpeg(seed=1), jpeg(seed=2)])
    told = manifest_of(folder)
    assert told["model"] == {"version": 3, "run": 12, "arch": "resnet18", "learned_from_drawn": False}
    assert told["vocab"] == list(VOCAB)
    assert told["input"]["shape"] == ["n", PRESIZE, PRESIZE, 3]
    assert told["files"].keys() == {path.name for path in folder.iterdir()} - {"manifest.json"}
    for name, digest in told["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "model" / "model.safetensors").read_bytes()
    assert (told["check"]["made_up_images"], told["check"]["validation_photos"]) == (3, 2)
    assert told["check"]["largest_difference"] <= told["check"]["tolerance"] == 1e-3
    text = (folder / "README.txt").read_text()
    assert "{" not in text.replace("model-3", "")
    assert "pip install numpy pillow torch torchvision safetensors" in text


def test_an_export_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TOLERANCE", -1.0)
    with pytest.raises(ExportRefused) as refused:
        unpacked(trained(tmp_path / "model"), "safetensors", tmp_path)
    assert refused.value.hint is not None


def test_a_model_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    model = trained(tmp_path / "model")
    (model / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointInvalid):
        unpacked(model, "onnx", tmp_path)


@pytest.mark.parametrize(("presize", "size"), [(460, 224), (96, 64), (200, 64), (64, 64), (224, 160), (129, 33)])
def test_the_matrix_is_the_resize_of_the_validation(presize: int, size: int) -> None:
    pixels = torch.randint(0, 256, (1, 3, presize, presize), generator=torch.Generator().manual_seed(0)).float()
    rows = torch.from_numpy(resize_matrix(presize, size))
    assert (rows @ pixels @ rows.T).numpy() == pytest.approx(resize_exactly(pixels, size).numpy(), abs=2e-2)


def test_the_scripts_loss_of_a_picture_is_the_services_own(tmp_path: Path) -> None:
    classifier = Classifier.load(trained(tmp_path / "model"), "cpu")
    for photo in (jpeg(300, 200, seed=1), jpeg(97, 301, seed=2), jpeg(60, 60, seed=3)):
        assert np.array_equal(square(photo, PRESIZE), classifier._squares(photo, LIMITS, 0.5)[0].numpy())


def test_a_temperature_is_inside(tmp_path: Path) -> None:
    model = Portable.load(trained(tmp_path / "model"))
    model.network.temperature = 2.5
    pixels = torch.randint(0, 256, (2, PRESIZE, PRESIZE, 3), dtype=torch.uint8)
    rows = model.network.rows
    logits, _ = model.graph((rows @ pixels.permute(0, 3, 1, 2).float() @ rows.T).permute(0, 2, 3, 1))
    expected = scores_of("cross_entropy", logits / 2.5)
    assert model.network(pixels).numpy() == pytest.approx(expected.numpy(), abs=1e-5)
