"""Configs to begin with, by name: the steps of the workflow (fastai book, chapter 5), each to be changed at will."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Preset:
    """A job's config without what is left at its default.

    ``begins_from_run``: it is meant to go on from a run that has been trained.
    """

    name: str
    title: str
    meaning: str
    kind: Literal["train", "lr_find"]
    config: dict[str, Any]
    begins_from_run: bool = False


PRESETS: tuple[Preset, ...] = (
    Preset(
        "fine_tune",
        "Fine-tune",
        "The head first, then the whole network at lower rates. The one to begin with.",
        "train",
        {"recipe": "fine_tune", "freeze_epochs": 1, "epochs": 2, "base_lr": 2e-3},
    ),
    Preset(
        "probe",
        "Probe",
        "Each photo is looked at once, and the head alone learns from that. Good for a first look.",
        "train",
        {"recipe": "probe", "epochs": 10, "lr_max": 2e-3},
    ),
    Preset(
        "probe_larger",
        "Probe, larger photos",
        "The same at 288 pixels: fewer errors than at 224, and two thirds more work for each answer.",
        "train",
        {"recipe": "probe", "epochs": 10, "lr_max": 2e-3, "size": 288},
    ),
    Preset(
        "find_rate",
        "Find a learning rate",
        "Trains nothing: tries rates from tiny to huge and shows where the loss falls.",
        "lr_find",
        {"freeze": True},
    ),
    Preset(
        "head_only",
        "Head only",
        "The body stays as it was published. Quick, and the base to unfreeze later.",
        "train",
        {"recipe": "one_cycle", "freeze": True, "epochs": 3, "lr_max": 3e-3},
    ),
    Preset(
        "unfreeze",
        "Unfreeze and go on",
        "From a run whose head is trained: the whole network, its first layers at the lowest rates.",
        "train",
        {"recipe": "one_cycle", "freeze": False, "epochs": 6, "lr_max": [1e-6, 1e-4]},
        begins_from_run=True,
    ),
    Preset(
        "head_then_all",
        "Head, then all",
        "The head alone first, then the whole network, in one run and with a rate for each phase.",
        "train",
        {
            "recipe": "phases",
            "phases": [
                {"freeze": True, "epochs": 3, "lr_max": 3e-3},
                {"freeze": False, "epochs": 12, "lr_max": [1e-6, 1e-4]},
            ],
        },
    ),
    Preset(
        "mixed_precision",
        "Deeper, mixed precision",
        "A deeper network, in half the bits where that is safe: quicker on a GPU and half the memory.",
        "train",
        {"recipe": "fine_tune", "arch": "resnet50", "precision": "fp16", "freeze_epochs": 3, "epochs": 6},
    ),
)
