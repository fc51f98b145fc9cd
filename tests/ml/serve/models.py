"""Folders with the files of random models."""

import json
from pathlib import Path

import torch

from ml.learn.checkpoint import save_tensors
from ml.learn.model import build_model

VOCAB = ("Abyssinian", "Birman", "pug")


def write_model(folder: Path, arch: str = "resnet18", /, **about: object) -> Path:
    """Random weights, and a description that says ``about`` beside what it must."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(3)
    model = build_model(arch, len(VOCAB), None)
    save_tensors(model.state_dict(), folder / "model.safetensors", {"format_version": "1", "arch": arch})
    described = {"format_version": 1, "arch": arch, "vocab": VOCAB, "size": 32, "presize": 48, "drawn": False}
    (folder / "model.json").write_text(json.dumps({**described, **about}))
    return folder
