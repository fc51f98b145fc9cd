"""Bytes in, an upright RGB picture out; anything else is refused with a code, before memory is spent on it."""

import io
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from ml.errors import ImageRejected

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""What is opened at all. Pillow's longer list has formats that start other programs (EPS)."""

_DECODE_ERRORS = (OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError, struct.error, zlib.error, EOFError)
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_NO_RANGE = {"I": "signed or 32-bit integers", "F": "floating-point numbers"}
"""Modes of grey whose files do not say which value is white."""
_DEPTHS = "8 bits a channel, or as 16-bit grey"
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_quiet = threading.Lock()

# Pillow's own limit on pixels raises before a picture's width and height are known; ours decides, and names them.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Limits:
    """What a picture may cost: file size in bytes, decoded size in pixels, and the shortest side in pixels."""

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 50_000_000
    min_side: int = 8


@dataclass(frozen=True)
class Facts:
    """What a decoded picture was in its file; sizes are in pixels, upright."""

    width: int
    height: int
    format: str
    mode: str


def open_rgb(data: bytes, limits: Limits) -> Image.Image:
    """Decode a picture: EXIF orientation applied, RGB, alpha dropped, of an animation the first frame.

    Args:
        data: the file's bytes.
        limits: checked against the file's size and its header before anything is decoded.

    Raises:
        ImageRejected: ``too_many_bytes``, ``not_an_image``, ``too_many_pixels``, ``too_small``,
            ``unsupported_pixels`` or ``truncated``.
    """
    return examine_image(data, limits)[0]


def examine_image(data: bytes, limits: Limits) -> tuple[Image.Image, Facts]:
    """As open_rgb, with what the file said of itself.

    Raises:
        ImageRejected: as open_rgb.
    """
    image = _open_header(data, limits)
    form, mode = image.format or "", image.mode
    turn = _turn_of(image)
    if form == "TIFF":
        # Pillow turns these itself when it loads them. The metadata is read above all the same, with its warnings off.
        turn = None
    try:
        image.load()
        upright = _to_rgb(image) if turn is None else _to_rgb(image).transpose(turn)
    except _DECODE_ERRORS as error:
        raise ImageRejected("truncated", f"the {form} data ends early or is broken ({_reason(error)})") from None
    return upright, Facts(upright.width, upright.height, form, mode)


def _open_header(data: bytes, limits: Limits) -> Image.Image:
    if len(data) > limits.max_bytes:
        detail = f"the file has {len(data)} bytes, at most {limits.max_bytes} are accepted"
        raise ImageRejected("too_many_bytes", detail, hint="Save it smaller.")
    image = _identify(data)
    width, height = image.size
    if width * height > limits.max_pixels:
        detail = f"the picture has {width}x{height} pixels, at most {limits.max_pixels} are accepted"
        raise ImageRejected("too_many_pixels", detail, hint="Scale it down.")
    if min(width, height) < limits.min_side:
        detail = f"the picture has {width}x{height} pixels, each side needs at least {limits.min_side}"
        raise ImageRejected("too_small", detail)
    if numbers := _NO_RANGE.get(image.mode):
        detail = f"the picture's pixels are {numbers} (mode {image.mode}), and nothing says which value is white"
        raise ImageRejected("unsupported_pixels", detail, hint=f"Save it with {_DEPTHS}.")
    return image


def _identify(data: bytes) -> Image.Image:
    if not data:
        raise ImageRejected("not_an_image", "the file is empty")
    # Pillow warns of odd metadata. The filter is process-wide, hence the lock.
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            detail = f"the bytes are none of {', '.join(FORMATS)}"
            raise ImageRejected("not_an_image", detail) from None
        except _DECODE_ERRORS as error:
            raise ImageRejected("not_an_image", f"the header cannot be read ({_reason(error)})") from None


def _turn_of(image: Image.Image) -> Image.Transpose | None:
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
        except _DECODE_ERRORS:
            # A picture is worth more than its broken metadata.
            return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        return _narrowed(image)
    if image.mode in {"P", "PA", "LA", "La"}:
        # By way of RGBA, because a palette with transparent entries is else converted with a warning.
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _narrowed(image: Image.Image) -> Image.Image:
    """16-bit grey in 8 bits; Pillow would clip it at 255 and leave a white picture."""
    bits, white_is_zero = 16, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # A TIFF may use fewer bits. Its MaxSampleValue may not be used for this, says the specification: it is a
        # statistic of the one picture.
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, (bits,))[0]
        white_is_zero = image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    values = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    return Image.fromarray(255 - values if white_is_zero else values).convert("RGB")


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
