"""Where each output pixel of an augmented picture comes from (workflow-spec 4.3-4.5, 4.7).

All maps act on output coordinates (x, y, 1) in [-1, 1] (align_corners) and give input coordinates. A picture's flip,
rotation, zoom, perspective warp and crop are one 3x3 homography, so that a single interpolation draws them all.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ml.config_augment import Augment

_CORNERS = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What chance decided, one entry a picture: float32 tensors of shape [n].

    ``flip`` is 0 or 1, ``rotate`` degrees, ``zoom`` ≥ 1 with its centre in [0, 1]², ``warp_*`` the perspective,
    ``crop_scale`` the crop's side as a share of the picture's, ``crop_x``/``crop_y`` its place in [0, 1].
    """

    flip: Tensor
    rotate: Tensor
    zoom: Tensor
    zoom_x: Tensor
    zoom_y: Tensor
    warp_x: Tensor
    warp_y: Tensor
    crop_scale: Tensor
    crop_x: Tensor
    crop_y: Tensor


def draw(n: int, augment: Augment, min_scale: float, generator: Generator) -> Draws:
    """Draw for ``n`` pictures; every picture has its own crop (fastai: one crop a batch)."""
    p = augment.p_affine
    return Draws(
        flip=_chance(n, 0.5 if augment.flip else 0.0, generator),
        rotate=masked(_uniform(n, -augment.max_rotate, augment.max_rotate, generator), p, 0.0, generator),
        zoom=masked(_uniform(n, 1.0, augment.max_zoom, generator), p, 1.0, generator),
        zoom_x=_uniform(n, 0, 1, generator),
        zoom_y=_uniform(n, 0, 1, generator),
        warp_x=masked(_uniform(n, -augment.max_warp, augment.max_warp, generator), p, 0.0, generator),
        warp_y=masked(_uniform(n, -augment.max_warp, augment.max_warp, generator), p, 0.0, generator),
        crop_scale=_uniform(n, min_scale, 1.0, generator).sqrt(),
        crop_x=_uniform(n, 0, 1, generator),
        crop_y=_uniform(n, 0, 1, generator),
    )


def masked(values: Tensor, p: float, neutral: float, generator: Generator) -> Tensor:
    """Keep each value with probability ``p``, else the neutral one."""
    return torch.where(_chance(len(values), p, generator).bool(), values, torch.tensor(neutral))


def homography(draws: Draws) -> Tensor:
    """The whole map of each picture, crop folded in: float32 [n, 3, 3] on square pictures."""
    return warp_matrix(draws.warp_x, draws.warp_y) @ affine_matrix(draws) @ crop_matrix(draws)


def affine_matrix(draws: Draws) -> Tensor:
    """Flip · Rotate · Zoom, in that product order: [n, 3, 3]."""
    return flip_matrix(draws.flip) @ rotate_matrix(draws.rotate) @ zoom_matrix(draws.zoom, draws.zoom_x, draws.zoom_y)


def flip_matrix(flip: Tensor) -> Tensor:
    """Mirror left and right where ``flip`` is 1."""
    matrix = _identity(len(flip))
    matrix[:, 0, 0] = 1 - 2 * flip
    return matrix


def rotate_matrix(degrees: Tensor) -> Tensor:
    """Turn by ``degrees``: [[cos, sin], [-sin, cos]]."""
    theta = degrees * (math.pi / 180)
    matrix = _identity(len(degrees))
    matrix[:, 0, 0] = matrix[:, 1, 1] = theta.cos()
    matrix[:, 0, 1] = theta.sin()
    matrix[:, 1, 0] = -theta.sin()
    return matrix


def zoom_matrix(zoom: Tensor, centre_x: Tensor, centre_y: Tensor) -> Tensor:
    """Enlarge by ``zoom`` about a centre in [0, 1]²."""
    shrink = 1 / zoom
    matrix = _identity(len(zoom))
    matrix[:, 0, 0] = matrix[:, 1, 1] = shrink
    matrix[:, 0, 2] = (1 - shrink) * (2 * centre_x - 1)
    matrix[:, 1, 2] = (1 - shrink) * (2 * centre_y - 1)
    return matrix


def warp_targets(warp_x: Tensor, warp_y: Tensor) -> Tensor:
    """Where the four corners go under the perspective: [n, 4, 2] as (x, y)."""
    a, b = warp_x, warp_y
    corners = [(-1 - b, -1 - a), (-1 + b, 1 + a), (1 + b, -1 + a), (1 - b, 1 - a)]
    return torch.stack([torch.stack(corner, 1) for corner in corners], 1)


def warp_matrix(warp_x: Tensor, warp_y: Tensor) -> Tensor:
    """The homography H (h33 = 1) with H(target corner) = corner: [n, 3, 3], from an 8x8 linear system."""
    targets = warp_targets(warp_x, warp_y)
    n = len(targets)
    x, y = targets[..., 0], targets[..., 1]
    u = _CORNERS[:, 0].expand(n, 4)
    v = _CORNERS[:, 1].expand(n, 4)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    rows_u = torch.stack([x, y, one, zero, zero, zero, -x * u, -y * u], -1)
    rows_v = torch.stack([zero, zero, zero, x, y, one, -x * v, -y * v], -1)
    system = torch.cat([rows_u, rows_v], 1).double()
    coefficients = torch.linalg.solve(system, torch.cat([u, v], 1).double())
    return torch.cat([coefficients, torch.ones(n, 1, dtype=torch.float64)], 1).reshape(n, 3, 3).float()


def crop_matrix(draws: Draws) -> Tensor:
    """Look only at a square of side ``crop_scale``: [n, 3, 3]."""
    slack = 1 - draws.crop_scale
    matrix = _identity(len(slack))
    matrix[:, 0, 0] = matrix[:, 1, 1] = draws.crop_scale
    matrix[:, 0, 2] = slack * (2 * draws.crop_x - 1)
    matrix[:, 1, 2] = slack * (2 * draws.crop_y - 1)
    return matrix


def grid(homographies: Tensor, height: int, width: int) -> Tensor:
    """Input coordinates of each output pixel: [n, height, width, 2], on the homographies' device."""
    xs = torch.linspace(-1, 1, width, device=homographies.device)
    ys = torch.linspace(-1, 1, height, device=homographies.device)
    h = homographies[:, :, :, None, None]
    x, y = xs[None, None, :], ys[None, :, None]
    mapped = [h[:, i, 0] * x + h[:, i, 1] * y + h[:, i, 2] for i in range(3)]
    return torch.stack([mapped[0] / mapped[2], mapped[1] / mapped[2]], -1)


def _identity(n: int) -> Tensor:
    return torch.eye(3).repeat(n, 1, 1)


def _uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _chance(n: int, p: float, generator: Generator) -> Tensor:
    return (torch.rand(n, generator=generator) < p).float()
