"""A span's place as W3C Trace Context writes it, between processes and in a job's row."""

import os
import re
from typing import NamedTuple

HEADER = "traceparent"

_WRITTEN = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
_HALF = 1 << 64


class Place(NamedTuple):
    """Which span of which trace, in hex digits, and whether that trace is told to anybody."""

    trace: str
    span: str
    is_sampled: bool

    @property
    def written(self) -> str:
        """It, as a ``traceparent``."""
        return f"00-{self.trace}-{self.span}-{int(self.is_sampled):02x}"

    @property
    def new_below(self) -> "Place":
        """The place of another span of the same trace."""
        return self._replace(span=os.urandom(8).hex())

    @classmethod
    def new(cls, share: float) -> "Place":
        """That of the first span of a trace, of which this share is told."""
        trace = os.urandom(16).hex()
        return cls(trace, os.urandom(8).hex(), int(trace[16:], 16) < share * _HALF)

    @classmethod
    def read(cls, written: str | None) -> "Place | None":
        """What is written; None where that is no place. A later version of the format may have more behind it."""
        found = _WRITTEN.fullmatch(written or "")
        if found is None:
            return None
        version, trace, span, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
            return None
        return cls(trace, span, bool(int(flags, 16) & _SAMPLED))
