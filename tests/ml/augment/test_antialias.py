"""What the output cannot hold must not come back as false detail, and what it can hold must stay."""

import math

import pytest
import torch
from torch import Tensor

from ml.augment.antialias import draw_once, scales, shrunk_side
from ml.augment.geometry import crop_matrix, draw, grid, homography
from ml.augment.resample import sample
from ml.config_augment import Augment
from tests.ml.test_devices import DEVICES

PRESIZE, SIZE = 460, 224
WHOLE = torch.eye(3)[None]


def waves(cycles: float, angle: float) -> Tensor:
    """A grating with so many cycles for each output pixel of the whole picture: uint8 [1, PRESIZE, PRESIZE, 3]."""
    line = torch.arange(PRESIZE) * (SIZE / PRESIZE)
    y, x = torch.meshgrid(line, line, indexing="ij")
    wave = torch.sin(2 * math.pi * cycles * (x * math.cos(angle) + y * math.sin(angle)))
    return (127.5 + 100 * wave).round().to(torch.uint8)[None, :, :, None].expand(1, PRESIZE, PRESIZE, 3).contiguous()


def kept(cycles: float, maps: Tensor, device: str = "cpu") -> float:
    """How much is drawn of a grating with so many cycles for each pixel of the output, in the mean over the maps."""
    drawn = [
        draw_once(waves(cycles / scale, 0.3 + 0.3 * number).to(device), maps[number : number + 1], SIZE).std()
        for number, scale in enumerate(scales(maps))
    ]
    return float(torch.stack(drawn).mean()) / (100 / math.sqrt(2))


def drawn_maps(n: int) -> Tensor:
    return homography(draw(n, Augment(), 0.75, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("device", DEVICES)
def test_detail_that_the_output_cannot_hold_is_gone_and_coarser_detail_stays(device: str) -> None:
    maps = drawn_maps(5)
    # The output holds half a cycle a pixel. One bilinear interpolation alone keeps 0.56 of 0.8 and 0.50 of 1.0.
    assert kept(0.8, maps, device) < 0.35
    assert kept(1.0, maps, device) < 0.25
    assert kept(0.2, maps, device) > 0.9
    assert kept(0.1, maps, device) > 0.95


def test_what_a_crop_magnifies_is_drawn_from_all_pixels() -> None:
    draws = draw(1, Augment(flip=False, max_rotate=0, max_zoom=1, max_warp=0), 0.08, torch.Generator().manual_seed(1))
    draws.crop_scale.fill_(0.3)
    maps = crop_matrix(draws)
    assert scales(maps) == pytest.approx([0.3])
    fine = waves(0.8, 0.4)
    exact = sample(fine.permute(0, 3, 1, 2).float(), grid(maps, SIZE, SIZE))
    torch.testing.assert_close(draw_once(fine, maps, SIZE), exact)


def test_the_side_leaves_one_and_a_half_pixels_for_each_of_the_output() -> None:
    assert shrunk_side(1.0, PRESIZE, SIZE) == 336
    assert shrunk_side(0.9, PRESIZE, SIZE) == 392
    assert shrunk_side(0.5, PRESIZE, SIZE) == PRESIZE
    assert shrunk_side(1.0, 160, 128) == 160
    assert shrunk_side(0.0, PRESIZE, SIZE) == PRESIZE


def test_the_scale_is_that_of_the_map_at_its_centre() -> None:
    maps = drawn_maps(8)
    step = 1e-4
    points = torch.tensor([[0.0, 0.0, 1.0], [step, 0.0, 1.0], [0.0, step, 1.0]]).double()
    seen = points @ maps.double().transpose(1, 2)
    seen = seen[..., :2] / seen[..., 2:]
    across, down = (seen[:, 1] - seen[:, 0]) / step, (seen[:, 2] - seen[:, 0]) / step
    areas = (across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]).abs()
    assert scales(maps) == pytest.approx(areas.sqrt().tolist(), rel=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_shrinking_moves_nothing(device: str) -> None:
    line = torch.linspace(0, 255, PRESIZE)
    ramp = (
        torch.stack(
            [
                line.expand(PRESIZE, PRESIZE),
                line[:, None].expand(PRESIZE, PRESIZE),
                line.expand(1, PRESIZE).expand(PRESIZE, PRESIZE),
            ],
            -1,
        )[None]
        .round()
        .to(torch.uint8)
    )
    drawn = draw_once(ramp.to(device), WHOLE, SIZE).cpu()
    plain = sample(ramp.permute(0, 3, 1, 2).float(), grid(WHOLE, SIZE, SIZE))
    # Beside the border, where the filter runs out of pixels.
    assert (drawn - plain)[..., 3:-3, 3:-3].abs().max() < 1


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_of_several_scales_is_drawn_as_each_picture_alone(device: str) -> None:
    pictures = torch.randint(0, 256, (6, 96, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))
    maps = drawn_maps(6)
    maps[2] = torch.diag(torch.tensor([0.4, 0.4, 1.0]))
    together = draw_once(pictures.to(device), maps, 40).cpu()
    alone = torch.cat([draw_once(pictures[i : i + 1], maps[i : i + 1], 40) for i in range(6)])
    # A GPU filters in floats what a CPU filters in bytes: a level or two.
    torch.testing.assert_close(together, alone, atol=1e-3 if device == "cpu" else 2.5, rtol=0)
