"""A folder with the files of a run's model, of random weights."""

import json
from pathlib import Path

import torch

from ml.learn.checkpoint import save_tensors
from ml.learn.model import build_model

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
