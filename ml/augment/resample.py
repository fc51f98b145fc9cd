"""Drawing pixels at given coordinates, and the exact two-pass resampling of the workflow (workflow-spec 4.6)."""

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by
from torch import Tensor


def sample(images: Tensor, coordinates: Tensor) -> Tensor:
    """One bilinear interpolation with reflected borders: images [n,c,h,w], coordinates [n,H,W,2] → [n,c,H,W]."""
    return F.grid_sample(images, coordinates, mode="bilinear", padding_mode="reflection", align_corners=True)


def sample_like_fastai(images: Tensor, coordinates: Tensor) -> Tensor:
    """:func:`sample`, preceded by an area shrink where the output is less than half as large.

    d = min(h/H, w/W)/2 and z = 2/(max - min of all coordinates); the shrink is by 1/d where d > 1 and d > z.
    """
    d = min(images.shape[-2] / coordinates.shape[1], images.shape[-1] / coordinates.shape[2]) / 2
    if d > 1:
        z = 2 / (coordinates.max() - coordinates.min()).item()
        if d > z:
            images = F.interpolate(images, scale_factor=1 / d, mode="area", recompute_scale_factor=True)
    return sample(images, coordinates)


def identity_grid(n: int, size: int, device: torch.device) -> Tensor:
    """The coordinates that change nothing but the size: [n, size, size, 2]."""
    line = torch.linspace(-1, 1, size, device=device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], -1).expand(n, size, size, 2)


def resize_exactly(images: Tensor, size: int) -> Tensor:
    """Validation's resize of square float images [n,c,S,S] → [n,c,size,size], equal to fastai's.

    fastai resamples twice, but its first pass (S to S) changes nothing beyond 4e-6, so that it is left out.
    """
    if images.shape[-1] == size:
        return images
    return sample_like_fastai(images, identity_grid(len(images), size, images.device))
