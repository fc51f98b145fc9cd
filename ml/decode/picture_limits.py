"""What a picture may cost, and what is known of one that was read."""

from dataclasses import dataclass

MIB = 1 << 20
DECODING = 2
"""How pictures are read. 1: what is transparent keeps its hidden colours; 2: it is laid on white.

Presized pictures and models carry the number, so that neither is used with pictures that were read another way.
"""
SMALL_BYTES = 128 * MIB
"""Memory that any picture may take in its process beside its file."""
_BYTES_A_PIXEL = {"JPEG": 12, "MPO": 12, "PNG": 12, "GIF": 16, "BMP": 16, "JPEG2000": 44}
_OTHER = 20
_FIRST_SECONDS = 1.0
_SECONDS_A_PIXEL = {"JPEG": 40e-9, "MPO": 40e-9, "PNG": 60e-9, "JPEG2000": 400e-9}
_OTHER_SECONDS = 100e-9


@dataclass(frozen=True)
class Limits:
    """What a picture may cost.

    File size in bytes, decoded size in pixels, the shortest side in pixels; and of the process that decodes it, memory
    in bytes and processor time in seconds, both at most. A picture of few pixels gets less of the two.

    ``cheap`` is the verdict on the one picture that these limits are handed on with, so that its bytes are looked at
    once; None: they were not.
    """

    max_bytes: int = 32 * MIB
    max_pixels: int = 51_000_000
    min_side: int = 8
    max_memory: int = 768 * MIB
    max_seconds: float = 6.0
    cheap: bool | None = None

    def memory(self, form: str, pixels: int) -> int:
        """Bytes that a picture of so many pixels may take beside its file."""
        return min(self.max_memory, SMALL_BYTES + _BYTES_A_PIXEL.get(form, _OTHER) * pixels)

    def seconds(self, form: str, pixels: int) -> float:
        """Processor time that a picture of so many pixels may take."""
        return min(self.max_seconds, _FIRST_SECONDS + _SECONDS_A_PIXEL.get(form, _OTHER_SECONDS) * pixels)


@dataclass(frozen=True)
class Facts:
    """What a decoded picture was in its file; sizes are in pixels, upright."""

    width: int
    height: int
    format: str
    mode: str
