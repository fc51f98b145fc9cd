"""Bytes in, an upright RGB picture out; anything else is refused with a code, before memory is spent on it.

What a file's own bytes prove to be cheap is decoded by the calling thread, all else by a process with limits.
"""

from dataclasses import replace

from PIL import Image

from ml.decode.decoders import DECODERS, unless
from ml.decode.picture_cost import is_cheap
from ml.decode.picture_limits import DECODING, Facts, Limits
from ml.decode.pixels import Reader
from ml.decode.views import WHOLE, Pixels, View
from ml.errors import ImageRejected

__all__ = ["DECODING", "FORMAT_NAMES", "Facts", "Limits", "check_cost", "examine_image", "judged", "unless", "view"]

FORMAT_NAMES = "JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000"
"""What is read, for people."""


def examine_image(data: bytes, limits: Limits, decoding: int = DECODING) -> tuple[Image.Image, Facts]:
    """Decode a picture: upright by its EXIF, RGB, transparency laid on white, of an animation the first frame.

    Args:
        data: the file's bytes.
        limits: checked against the file's size and its header before anything is decoded.
        decoding: how what is transparent is read.

    Returns:
        The picture, and what its file said of itself.

    Raises:
        ImageRejected: ``too_many_bytes``, ``not_an_image``, ``too_many_pixels``, ``too_small``,
            ``unsupported_pixels``, ``truncated`` or ``picture_too_costly``.
    """
    if check_cost(data, limits):
        return Reader(limits, lay_on_white=decoding > 1).read(data)
    pixels, facts = DECODERS.read(data, limits, WHOLE, lay_on_white=decoding > 1)
    return Image.fromarray(pixels), facts


def view(data: bytes, limits: Limits, wanted: View, decoding: int = DECODING) -> tuple[Pixels, Facts]:
    """What is wanted of a picture, uint8; of a large one less memory is taken here than for the whole.

    Raises:
        ImageRejected: as ``examine_image``.
    """
    if not check_cost(data, limits):
        return DECODERS.read(data, limits, wanted, lay_on_white=decoding > 1)
    image, facts = Reader(limits, lay_on_white=decoding > 1).read(data)
    return wanted.of(image), facts


def check_cost(data: bytes, limits: Limits) -> bool:
    """Whether the picture is decoded by the calling thread, because its bytes prove that it costs little.

    Raises:
        ImageRejected: ``too_many_bytes``, ``not_an_image`` or ``picture_too_costly``; not where the verdict is known.
    """
    if limits.cheap is not None:
        return limits.cheap
    if not data:
        raise ImageRejected("not_an_image", "the file is empty")
    if len(data) > limits.max_bytes:
        detail = f"the file has {len(data)} bytes, at most {limits.max_bytes} are accepted"
        raise ImageRejected("too_many_bytes", detail, hint="Save it smaller.")
    return is_cheap(data)


def judged(data: bytes, limits: Limits) -> Limits:
    """The limits, with the verdict on this picture.

    Raises:
        ImageRejected: as ``check_cost``.
    """
    return replace(limits, cheap=check_cost(data, limits))
