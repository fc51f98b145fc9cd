"""A folder with the files of a run's model, of random weights."""

import json
from pathlib import Path

import numpy as np
import torch

from ml.config import LossName
from ml.judge.calibration import Calibration
from ml.judge.judgement import Judgement
from ml.learn.checkpoint import save_tensors
from ml.learn.model import build_model
from ml.run_files import JUDGEMENT

VOCAB = ("Abyssinian", "Birman", "pug", "samoyed")
PRESIZE, SIZE = 96, 64


def trained(folder: Path, arch: str = "resnet18", *, vocab: tuple[str, ...] = VOCAB, **about: object) -> Path:
    """The folder, whose description says ``about`` beside the least."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(3)
    model = build_model(arch, len(vocab), None)
    save_tensors(model.state_dict(), folder / "model.safetensors", {"format_version": "1", "arch": arch})
    described = {"format_version": 1, "arch": arch, "vocab": vocab, "size": SIZE, "presize": PRESIZE, "drawn": False}
    (folder / "model.json").write_text(json.dumps({**described, "decoding": 2, "precision": "fp32", **about}))
    return folder


def calibrated(folder: Path, temperature: float, bias: float = 0.0, loss: LossName = "cross_entropy") -> None:
    """Put a judgement beside a model that calibrates its answers and says nothing else."""
    truth = np.linspace(0.02, 0.98, 99)
    Judgement(loss, Calibration(1 / temperature, bias), truth, None, np.empty(0)).write(folder / JUDGEMENT)
