"""Presizing: the square that fastai's Resize cuts and scales (workflow-spec 3)."""

from PIL import Image

Box = tuple[int, int, int, int]


def crop_box(width: int, height: int, size: int, px: float, py: float) -> Box:
    """The square that is cut out of a picture before scaling.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        size: side of the square that it becomes, pixels.
        px: position along the width, 0 (left) to 1 (right).
        py: position along the height, 0 (top) to 1 (bottom).

    Returns:
        (left, top, width, height) in pixels. The side may be one pixel short of the picture's: the float product is
        truncated, as in the original.
    """
    ratio = min(width / size, height / size)
    side = max(1, int(ratio * size))
    return int(px * (width - side)), int(py * (height - side)), side, side


def resize_square(image: Image.Image, size: int, px: float = 0.5, py: float = 0.5) -> Image.Image:
    """Cut the square at a position (default: the centre) and scale it to size x size, bilinear, antialiased."""
    left, top, width, height = crop_box(image.width, image.height, size, px, py)
    square = image.crop((left, top, left + width, top + height))
    return square.resize((size, size), Image.Resampling.BILINEAR)
