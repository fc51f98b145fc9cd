"""Heat maps: the heat is where the evidence is, for the class that is asked; every family gives finite ones."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ml.decode.images import Limits
from ml.errors import ImageRejected
from ml.learn.model import BreedNet, ConcatPool, build_model, make_head
from ml.serve.why import Explainer, coloured, heat_map, overlaid
from tests.ml.pictures import jpeg
from tests.ml.serve.trained import PRESIZE, trained

LIMITS = Limits()


def by_colour() -> BreedNet:
    """Two classes: how much red there is, and how much green; each of 8 x 8 places is a mean of 4 x 4 pixels."""
    head = make_head(3, 2, ConcatPool())
    for module in head:
        if isinstance(module, nn.BatchNorm1d):
            nn.init.zeros_(module.bias)
    first, last = (module for module in head if isinstance(module, nn.Linear))
    with torch.no_grad():
        first.weight.zero_()
        last.weight.zero_()
        for colour in (0, 1):
            first.weight[colour, colour] = first.weight[colour, 3 + colour] = 1.0
            last.weight[colour, colour] = 1.0
    return BreedNet(nn.Sequential(nn.AvgPool2d(4)), head, early=1).eval()


def spots() -> torch.Tensor:
    """Red in the upper left corner, green in the lower right, and blue everywhere."""
    picture = torch.zeros(1, 3, 32, 32)
    picture[0, 2] = 1.0
    picture[0, 0, :8, :8] = 2.0
    picture[0, 1, -8:, -8:] = 1.5
    return picture


@pytest.mark.parametrize(("index", "corner"), [(0, np.s_[:2, :2]), (1, np.s_[-2:, -2:]), (None, np.s_[:2, :2])])
def test_the_heat_is_where_the_evidence_for_the_class_is(index: int | None, corner: tuple[slice, slice]) -> None:
    heat = heat_map(by_colour(), spots(), index)
    assert heat.shape == (8, 8)
    assert heat.max() == pytest.approx(1)
    assert heat[corner].sum() > 0.95 * heat.sum()


def test_where_nothing_speaks_for_a_class_nothing_is_hot() -> None:
    assert heat_map(by_colour(), torch.zeros(1, 3, 32, 32), 1).tolist() == np.zeros((8, 8)).tolist()


@pytest.mark.parametrize(
    "arch",
    [
        "resnet18",
        "convnext_tiny",
        "efficientnet_b0",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "swin_t",
        "swin_v2_t",
        "vit_b_32",
    ],
)
def test_every_family_gives_a_finite_map(arch: str) -> None:
    torch.manual_seed(0)
    network = build_model(arch, 3, None).eval().requires_grad_(False)
    heat = heat_map(network, torch.randn(1, 3, 64, 64))
    assert heat.shape == (2, 2)
    assert np.isfinite(heat).all()
    assert (heat.min() >= 0) & (heat.max() <= 1)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_picture_is_seen_under_the_heat_and_the_scale_stands_below() -> None:
    square = np.full((40, 40, 3), 200, np.uint8)
    heat = np.zeros((2, 2), np.float32)
    heat[0, 0] = 1
    drawn = np.asarray(overlaid(square, heat))
    assert drawn[39, 39].tolist() == [200, 200, 200]
    assert drawn[0, 0].tolist() == (0.4 * 200 + 0.6 * coloured(np.array([1], np.float32))[0]).round().tolist()
    scale = drawn[40:]
    assert len(scale) >= 1
    brightness = scale[0].astype(int).sum(1)
    assert (np.diff(brightness) >= 0).all()


def test_a_photo_is_explained_by_the_models_own_breeds(tmp_path: Path) -> None:
    explainer = Explainer.load(trained(tmp_path / "model"))
    likeliest = explainer.explain(jpeg(120, 90), LIMITS)
    assert likeliest.width == PRESIZE
    maps = [np.asarray(explainer.explain(jpeg(120, 90), LIMITS, breed)) for breed in explainer.about.vocab]
    assert any(np.array_equal(np.asarray(likeliest), one) for one in maps)
    assert not np.array_equal(maps[0], maps[1])
    with pytest.raises(ImageRejected):
        explainer.explain(b"no picture", LIMITS)
    out = io.BytesIO()
    likeliest.save(out, "PNG")
    assert Image.open(out).mode == "RGB"
