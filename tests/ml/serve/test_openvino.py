"""OpenVINO answers as torch does, for every family, from several threads, and tells nobody."""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ml.architectures import FAMILIES
from ml.decode.images import Limits
from ml.serve.classifier import Classifier
from ml.serve.way import InputName, NumberFormat, Way
from tests.ml.pictures import jpeg
from tests.ml.serve.models import write_model
from tests.test_house import sources

ONE_OF_EACH = {
    "resnet": "resnet18",
    "convnext": "convnext_tiny",
    "efficientnet": "efficientnet_b0",
    "mobilenet": "mobilenet_v3_small",
    "regnet": "regnet_y_400mf",
    "swin": "swin_t",
    "vit": "vit_b_32",
}
"""The quickest."""


def test_every_family_is_tried() -> None:
    tried = {arch for archs in FAMILIES.values() for arch in archs} & set(ONE_OF_EACH.values())
    assert len(tried) == len(FAMILIES)


@pytest.mark.parametrize(
    "arch",
    [
        pytest.param(
            one, marks=[pytest.mark.thorough] if one not in {"resnet18", "efficientnet_b0", "vit_b_32"} else []
        )
        for one in ONE_OF_EACH.values()
    ],
)
def test_every_family_puts_out_what_torch_does(arch: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", arch, precision="fp32")
    exact = Classifier.load(folder, "cpu")
    quick = Classifier.load(folder, "cpu", Way("openvino", "fp32", "exact", 2))
    pictures = [exact.prepare(jpeg(seed=seed), Limits()) for seed in range(3)]
    expected, found = exact.run(pictures), quick.run(pictures)
    quick.close()
    scale = float(np.abs(expected.logits).max())
    assert found.logits == pytest.approx(expected.logits, abs=1e-4 * scale)
    assert found.features == pytest.approx(expected.features, abs=1e-4 * float(np.abs(expected.features).max()))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 0.02), ("bf16", 0.1)])
@pytest.mark.parametrize("kind", ["direct", "exact"])
def test_every_input_and_precision_answers_alike(
    precision: NumberFormat, tolerance: float, kind: InputName, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "model", precision="fp32")
    exact = Classifier.load(folder, "cpu")
    quick = Classifier.load(folder, "cpu", Way("openvino", precision, kind))
    quick.warm_up()
    expected = exact.run(exact.prepare_copies(jpeg(), Limits()))
    found = quick.run(quick.prepare_copies(jpeg(), Limits()))
    assert found.logits == pytest.approx(expected.logits, abs=tolerance * float(np.abs(expected.logits).max()))


def test_many_threads_get_their_own_answers(tmp_path: Path) -> None:
    model = Classifier.load(write_model(tmp_path / "model"), "cpu", Way("openvino", "fp32", "direct", 2))
    assert model.concurrency == 4
    batches = [[model.prepare(jpeg(seed=10 * n + k), Limits()) for k in range(n % 4 + 1)] for n in range(12)]
    alone = [np.concatenate([model.run([one]).logits for one in batch]) for batch in batches]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(model.run, batches))
    for expected, found in zip(alone, together, strict=True):
        assert found.logits == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_failed_pass_fails_alone(tmp_path: Path) -> None:
    model = Classifier.load(write_model(tmp_path / "model"), "cpu", Way("openvino", "fp32", "direct", 2))
    picture = model.prepare(jpeg(), Limits())
    expected = model.run([picture]).logits
    wrong = np.zeros((7, 7, 3), np.float32)
    for batch in ([wrong], [picture, wrong, wrong, wrong], [np.moveaxis(picture, 2, 0)]):
        with pytest.raises(ValueError, match="shape"):
            model.run(batch)
    assert model.run([picture, picture]).logits == pytest.approx(np.repeat(expected, 2, 0), rel=1e-4, abs=1e-5)


def test_openvino_comes_in_by_its_door_alone() -> None:
    """But for the script that an export carries: it runs elsewhere."""
    doors = ("ml/serve/openvino_door.py", "ml/serve/export/carried/predict.py")
    others = [
        f"{path}:{node.lineno}"
        for path in sources()
        if not path.as_posix().endswith(doors) and "openvino" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Import) and any(name.name.startswith("openvino") for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("openvino"))
    ]
    assert others == []


@pytest.mark.thorough
def test_a_conversion_tells_nobody(tmp_path: Path) -> None:
    """Else it opens a connection to OpenVINO's makers, and keeps a number for this machine in the home folder."""
    script = """
import socket, sys
def refuse(*args):
    print("a connection to", args)
    raise OSError
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from pathlib import Path
from ml.serve.classifier import Classifier
from ml.serve.way import Way
model = Classifier.load(Path(sys.argv[1]), "cpu", Way("openvino", "fp32", "direct"))
model.warm_up()
model.close()
import threading
print([name for name in sys.modules if name.startswith("openvino_telemetry.")])
print([thread.name for thread in threading.enumerate() if thread is not threading.main_thread()])
"""
    home = tmp_path / "home"
    home.mkdir()
    folder = write_model(tmp_path / "model")
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"HOME": str(home)})
    assert done.stdout.split("\n") == ["[]", "[]", ""]
    assert list(home.iterdir()) == []
