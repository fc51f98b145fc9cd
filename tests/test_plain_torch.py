"""The script of docs/plain-torch.md: its scores are those of our own prediction."""

import ast
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ml.config import resolve, train_config
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.learn.checkpoint import LocalKeeper, save_tensors
from ml.learn.model import build_model
from ml.learn.setup import Paths
from ml.learn.training import fit
from ml.reporting import NullReporter
from ml.serve.classifier import Classifier
from tests.conftest import REPOSITORY
from tests.ml.pictures import encoded, fill, picture

VOCAB = ["Abyssinian", "Birman", "pug"]
ALLOWED = {"json", "sys", "pathlib", "numpy", "torch", "torchvision", "PIL", "safetensors"}
Printed = Callable[[Path, Path], str]
"""From a model's folder and a photo to what the script prints."""


@pytest.fixture(scope="module")
def script() -> str:
    """The document's one block of Python."""
    document = (REPOSITORY / "docs" / "plain-torch.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def printed(script: str, monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Runs it in this process, which has imported torch already."""
    code = compile(script, "docs/plain-torch.md", "exec")

    def run(model: Path, photo: Path) -> str:
        monkeypatch.setattr(sys, "argv", ["predict.py", str(model), str(photo)])
        with redirect_stdout(io.StringIO()) as out:
            exec(code, {"__name__": "__main__"})  # noqa: S102 - our own document
        return out.getvalue()

    return run


@pytest.fixture
def printed_alone(script: str, tmp_path: Path) -> Printed:
    """Runs it as its reader would."""
    (tmp_path / "predict.py").write_text(script, encoding="utf-8")

    def run(model: Path, photo: Path) -> str:
        command = [sys.executable, "-I", str(tmp_path / "predict.py"), str(model), str(photo)]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def test_it_imports_nothing_of_ours(script: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Import):
            imported |= {one.name.partition(".")[0] for one in node.names}
    assert imported == ALLOWED


@pytest.mark.thorough
def test_a_trained_model_answers_as_it_does_here(printed_alone: Printed, tmp_path: Path) -> None:
    folder = fill(tmp_path / "pictures", [f"{breed}_{number}.jpg" for breed in VOCAB for number in range(8)])
    small = {"arch": "mobilenet_v3_small", "pretrained": False, "presize": 90, "size": 40, "batch_size": 8}
    manifest = scan_folder(folder, LabelRule(), name="colours")
    fit(
        resolve(train_config.validate_python({**small, "precision": "fp32", "epochs": 2})),
        manifest,
        Folder(folder, manifest),
        paths=Paths(cache=tmp_path / "cache", weights=None, work=tmp_path / "run-1"),
        reporter=NullReporter(),
        keeper=LocalKeeper(tmp_path / "kept"),
        device="cpu",
    )
    compare(printed_alone, tmp_path / "run-1", tmp_path, loss="cross_entropy")


@pytest.mark.parametrize(
    ("arch", "loss", "presize"),
    [
        ("resnet18", "binary_cross_entropy", 48),
        pytest.param("regnet_x_400mf", "cross_entropy", 64, marks=pytest.mark.thorough),
        pytest.param("convnext_tiny", "cross_entropy", 70, marks=pytest.mark.thorough),
        pytest.param("swin_t", "cross_entropy", 100, marks=pytest.mark.thorough),
        pytest.param("vit_b_32", "cross_entropy", 100, marks=pytest.mark.thorough),
    ],
)
def test_a_model_of_each_family_does(arch: str, loss: str, presize: int, printed: Printed, tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = build_model(arch, len(VOCAB), None)
    # As after a training: a norm that forgot its statistics would show.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean, module.running_var = torch.rand(module.num_features), torch.rand(module.num_features)
    compare(printed, untrained(model, tmp_path, arch, loss, presize), tmp_path, loss=loss)


@pytest.mark.parametrize("form", [pytest.param("png", marks=pytest.mark.thorough), "tiff"])
def test_grey_of_sixteen_bits_is_scaled_as_it_is_here(printed: Printed, tmp_path: Path, form: str) -> None:
    torch.manual_seed(3)
    folder = untrained(build_model("resnet18", len(VOCAB), None), tmp_path, "resnet18", "cross_entropy", 64)
    grey = np.linspace(0, 2**16 - 1, 90 * 70).reshape(70, 90).astype(np.uint16)
    photo = tmp_path / f"photo.{form}"
    Image.fromarray(grey).save(photo)
    hold(printed, folder, photo, loss="cross_entropy")


def untrained(model: nn.Module, scratch: Path, arch: str, loss: str, presize: int) -> Path:
    """A model as a run's folder has it."""
    folder = scratch / "run-1"
    folder.mkdir()
    save_tensors(model.state_dict(), folder / "model.safetensors", {"format_version": "1", "arch": arch})
    about = {"format_version": 1, "arch": arch, "loss": loss, "precision": "fp32", "vocab": VOCAB}
    about |= {"size": 48, "presize": presize, "drawn": False, "decoding": 2}
    (folder / "model.json").write_text(json.dumps(about))
    return folder


def compare(printed: Printed, model: Path, scratch: Path, *, loss: str) -> None:
    """Hold what the script prints of two pictures, one of them transparent, against ``ml.serve``'s scores of them."""
    exif = picture().getexif()
    exif[0x0112] = 6  # lies on its side
    clear = picture(201, 150, seed=5)
    clear.putalpha(picture(201, 150, seed=6).convert("L"))
    for data in (encoded(picture(201, 150, seed=5), quality=90, exif=exif), encoded(clear, "PNG", exif=exif)):
        photo = scratch / "photo"
        photo.write_bytes(data)
        hold(printed, model, photo, loss=loss)


def hold(printed: Printed, model: Path, photo: Path, *, loss: str) -> None:
    """The same of a picture that is there."""
    rows = [line.split() for line in printed(model, photo).splitlines()]
    classifier = Classifier.load(model, "cpu")
    assert (classifier.loss, classifier.way.precision) == (loss, "fp32")
    ours = classifier.scores(list(classifier.run([classifier.prepare(photo.read_bytes(), Limits())]))).tolist()
    theirs = {breed: float(score) for score, breed in rows}
    assert [theirs[breed] for breed in classifier.vocab] == pytest.approx(ours, abs=1e-3)
    assert [float(score) for score, _ in rows] == sorted(theirs.values(), reverse=True)
    # Else any answer would do.
    assert max(ours) - min(ours) > 0.01
