"""A form's part that says how its bytes are written: Content-Transfer-Encoding of base64 or quoted-printable."""

import binascii
import re

from api.http.unreadable import BodyUnreadable
from store.errors import UnsupportedMedia

AS_THEY_ARE = frozenset({"", "7bit", "8bit", "binary"})
_BLANKS = b" \t\r\n"
_LINE = 1024
"""The most of a line of quoted-printable that is waited for; its standard allows 76."""


class Plain:
    """Bytes as they come."""

    def feed(self, data: bytes) -> bytes:
        """What is decoded of them by now."""
        return data

    def end(self) -> bytes:
        """What was kept back until the last of them had come."""
        return b""


class Base64(Plain):
    """Base64 in lines or in one."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_padded = False

    def feed(self, data: bytes) -> bytes:
        """Whole groups of four.

        Raises:
            BodyUnreadable: it is no base64.
        """
        text = self._rest + data.translate(None, _BLANKS)
        whole = len(text) - len(text) % 4
        self._rest = text[whole:]
        return self._decoded(text[:whole])

    def end(self) -> bytes:
        """The last group; many clients leave its padding out.

        Raises:
            BodyUnreadable: it is no base64.
        """
        rest, self._rest = self._rest, b""
        return self._decoded(rest + b"=" * (-len(rest) % 4))

    def _decoded(self, text: bytes) -> bytes:
        if text and self._is_padded:
            raise _no_base64("it goes on after its padding")
        self._is_padded = self._is_padded or text.endswith(b"=")
        try:
            return binascii.a2b_base64(text, strict_mode=True) if text else b""
        except binascii.Error as error:
            raise _no_base64(str(error)) from error


class QuotedPrintable(Plain):
    """Quoted-printable; a line is decoded when it has ended."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Whole lines; of a line without end, all but what an escape may begin in."""
        text = self._rest + data
        cut = text.rfind(b"\n") + 1
        if len(text) - cut > _LINE:
            # Not within an escape, which has three signs.
            escape = text.find(b"=", len(text) - 2)
            cut = escape if escape >= 0 else len(text)
        self._rest = text[cut:]
        return binascii.a2b_qp(text[:cut])

    def end(self) -> bytes:
        """The last line."""
        rest, self._rest = self._rest, b""
        return binascii.a2b_qp(rest)


def decoder_for(encoding: str, part: str) -> Plain:
    """What reads a part of this encoding.

    Raises:
        UnsupportedMedia: nothing does.
    """
    name = encoding.strip().lower()
    if name in AS_THEY_ARE:
        return Plain()
    if name == "base64":
        return Base64()
    if name == "quoted-printable":
        return QuotedPrintable()
    shown = re.sub(r"[^ -~]", "?", encoding)[:40]
    raise UnsupportedMedia(
        f"the part {part[:80]!r} has the Content-Transfer-Encoding {shown!r}, which is not read here",
        "Send it as it is, or as base64.",
    )


def _no_base64(reason: str) -> BodyUnreadable:
    return BodyUnreadable(f"what is said to be base64 is none: {reason}", "Encode the file again.")
