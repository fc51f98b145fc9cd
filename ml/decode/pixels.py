"""Pillow at work: bytes in, an upright RGB picture out. Whoever calls this pays what the picture costs."""

import io
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import AvifImagePlugin, Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from ml.decode.picture_limits import MIB, Facts, Limits
from ml.decode.png_chunks import SIGNATURE, only_pixels
from ml.decode.webp_header import webp_pixels
from ml.errors import ImageRejected

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "AVIF")
"""What is opened at all, with HEIF where it was made known. Pillow's longer list has formats that start other programs
(EPS)."""

_DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    IndexError,
    KeyError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    struct.error,
    zlib.error,
    EOFError,
)
"""Of broken files Pillow raises these, an assertion for a palette that is nowhere."""
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_SAMPLES, _STRIP_ROWS, _TILE_WIDTH, _TILE_LENGTH = 277, 278, 322, 323
_NO_RANGE = {"I": "signed or 32-bit integers", "F": "floating-point numbers"}
"""Modes of grey whose files do not say which value is white."""
_DEPTHS = "8 bits a channel, or as 16-bit grey"
_DEEP = 16
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
_MOST_TEXT = 16 * MIB
_quiet = threading.Lock()

# Pillow's own limit on pixels raises before a picture's width and height are known; ours decides, and names them.
Image.MAX_IMAGE_PIXELS = None
# Only texts about the orientation are left in a PNG (ml.decode.png_chunks); a long one is no reason to refuse the
# picture.
PngImagePlugin.MAX_TEXT_CHUNK = _MOST_TEXT
PngImagePlugin.MAX_TEXT_MEMORY = 2 * _MOST_TEXT
# A thread for each core would each take memory of its own.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

Announce = Callable[[str, int], None]


@dataclass(frozen=True)
class Reader:
    """How a picture is read; ``on_header`` is called with format and pixels before anything is decoded."""

    limits: Limits
    formats: tuple[str, ...] = FORMATS
    lay_on_white: bool = True
    on_header: Announce | None = None

    def read(self, data: bytes) -> tuple[Image.Image, Facts]:
        """Decode a picture: EXIF orientation applied, RGB, of an animation the first frame.

        Raises:
            ImageRejected: as ``ml.decode.images.examine_image``.
        """
        image, turn = self.header(data)
        form, mode = image.format or "", image.mode
        if form == "TIFF":
            # Pillow turns these itself when it loads them. The metadata is read above all the same, warnings off.
            turn = None
        try:
            image.load()
            upright = _to_rgb(image, data) if self.lay_on_white else _opaque(image)
            # Two copies of a large picture are enough.
            del image
            upright = upright if turn is None else upright.transpose(turn)
        except _DECODE_ERRORS as error:
            raise ImageRejected("truncated", f"the {form} data ends early or is broken ({_reason(error)})") from None
        return upright, Facts(upright.width, upright.height, form, mode)

    def header(self, data: bytes) -> tuple[Image.Image, Image.Transpose | None]:
        """The picture, not decoded yet and within the limits, and what its EXIF says would make it upright.

        Raises:
            ImageRejected: as ``ml.decode.images.examine_image``.
        """
        image = self._open_header(data)
        if self.on_header is not None:
            self.on_header(image.format or "", image.width * image.height)
        return image, _turn_of(image)

    def _open_header(self, data: bytes) -> Image.Image:
        _check_canvas(data, self.limits)
        image = self._identify(data)
        width, height = image.size
        if width * height > self.limits.max_pixels:
            detail = f"the picture has {width}x{height} pixels, at most {self.limits.max_pixels} are accepted"
            raise ImageRejected("too_many_pixels", detail, hint="Scale it down.")
        if min(width, height) < self.limits.min_side:
            detail = f"the picture has {width}x{height} pixels, each side needs at least {self.limits.min_side}"
            raise ImageRejected("too_small", detail)
        if numbers := _NO_RANGE.get(image.mode):
            detail = f"the picture's pixels are {numbers} (mode {image.mode}), and nothing says which value is white"
            raise ImageRejected("unsupported_pixels", detail, hint=f"Save it with {_DEPTHS}.")
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _check_pieces(image, self.limits)
        return image

    def _identify(self, data: bytes) -> Image.Image:
        if not data.startswith(SIGNATURE):
            return self._opened(data)
        try:
            return self._opened(only_pixels(data, most_text=_MOST_TEXT))
        except ImageRejected:
            # A text that unpacks to more than any picture's orientation needs.
            return self._opened(only_pixels(data, most_text=0))

    def _opened(self, data: bytes) -> Image.Image:
        # Pillow warns of odd metadata. The filter is process-wide, hence the lock.
        with _quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return Image.open(io.BytesIO(data), formats=self.formats)
            except UnidentifiedImageError:
                raise ImageRejected("not_an_image", f"the bytes are none of {', '.join(self.formats)}") from None
            except _DECODE_ERRORS as error:
                raise ImageRejected("not_an_image", f"the header cannot be read ({_reason(error)})") from None


def _check_canvas(data: bytes, limits: Limits) -> None:
    """A WebP is refused by its size before its reader takes memory for it."""
    pixels = webp_pixels(data)
    if pixels is not None and pixels > limits.max_pixels:
        detail = f"the picture has {pixels} pixels, at most {limits.max_pixels} are accepted"
        raise ImageRejected("too_many_pixels", detail, hint="Scale it down.")


def _check_pieces(image: TiffImagePlugin.TiffImageFile, limits: Limits) -> None:
    """Refuse a TIFF whose tile or strip is larger than the picture itself may be in memory."""
    tags = image.tag_v2
    try:
        width = int(tags.get(_TILE_WIDTH, image.width))
        rows = int(tags.get(_TILE_LENGTH, min(int(tags.get(_STRIP_ROWS, image.height)), image.height)))
        deep = sum(int(bits) for bits in tags.get(_BITS_PER_SAMPLE, (8,))) * (1 if _SAMPLES in tags else 3)
    except _DECODE_ERRORS as error:
        raise ImageRejected("not_an_image", f"the header cannot be read ({_reason(error)})") from None
    needs, most = width * rows * max(8, deep) // 8, limits.memory("TIFF", image.width * image.height)
    if needs > most:
        detail = f"the TIFF of {image.width}x{image.height} pixels has pieces of {width}x{rows}, {needs} bytes each"
        raise ImageRejected("picture_too_costly", detail)


def _turn_of(image: Image.Image) -> Image.Transpose | None:
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
        except _DECODE_ERRORS:
            # A picture is worth more than its broken metadata.
            return None


def _to_rgb(image: Image.Image, data: bytes) -> Image.Image:
    """RGB, and what is transparent laid on white."""
    if not image.has_transparency_data:
        return _opaque(image)
    if data.startswith(SIGNATURE):
        _scale_transparency(image, bits=data[24])
    if image.mode.startswith("I;16"):
        return _white_where(_narrowed(image), np.asarray(image) == image.info["transparency"])
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white


def _scale_transparency(image: Image.Image, *, bits: int) -> None:
    """A PNG names its transparent colour in its own depth; Pillow compares it with pixels that it gave 8 bits."""
    told = image.info.get("transparency")
    if image.mode == "RGB" and bits == _DEEP and isinstance(told, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in told)
    if image.mode == "L" and bits < 8 and isinstance(told, int):  # noqa: PLR2004
        image.info["transparency"] = told * 255 // ((1 << bits) - 1)


def _white_where(image: Image.Image, clear: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> Image.Image:
    image.paste("white", mask=Image.fromarray(clear.astype(np.uint8) * 255))
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """RGB as the colours stand, transparent or not."""
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
    return re.sub(r"\s+", " ", str(error))[:200] if str(error) else type(error).__name__
