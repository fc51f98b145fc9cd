"""Bytes in, an upright RGB picture out; anything else is refused with a code, before memory is spent on it."""

import io
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from ml.errors import ImageRejected

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""What is opened at all. Pillow's longer list has formats that start other programs (EPS)."""

_DECODE_ERRORS = (OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError, struct.error, zlib.error, EOFError)
_EIGHT_BIT_TOP = 255
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
        ImageRejected: ``too_many_bytes``, ``not_an_image``, ``too_many_pixels``, ``too_small`` or ``truncated``.
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
    return image


def _identify(data: bytes) -> Image.Image:
    if not data:
        raise ImageRejected("not_an_image", "the file is empty")
    # Pillow warns of decompression bombs and of odd metadata; our own limits decide and say so. The filter is
    # process-wide, hence the lock.
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError:
            raise ImageRejected("too_many_pixels", "the header promises more pixels than any limit", None) from None
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
    if image.mode == "F" or image.mode.startswith("I"):
        return _narrowed(image)
    if image.mode in {"P", "PA", "LA", "La"}:
        # By way of RGBA, because a palette with transparent entries is else converted with a warning.
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _narrowed(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    # Pillow would clip 16 bits at 255 and leave a white picture.
    if image.mode != "F" and values.max(initial=0) > _EIGHT_BIT_TOP:
        values = values.clip(0, 65535) >> 8
    return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
