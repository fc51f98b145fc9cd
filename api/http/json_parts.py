"""How much may be inside a JSON body, counted as its bytes arrive: before anything is built of it or compared.

A megabyte holds 350,000 empty objects. Each becomes an object, an error and a sentence, all on the event loop.
"""

from store.errors import AppError

MAX_PARTS = 2000
"""Of a body: each comma and each opening bracket. The longest honest body, a training of 100 phases, has 500."""
MAX_REVIEW_PARTS = 50_000
"""Of 10,000 corrected labels, five each. Such a body is read in a thread, and only to its first error."""
MAX_DEPTH = 64


class JsonTooDeep(AppError):
    """The body cannot be looked at within the time that one request may take."""

    status = 400
    code = "bad_request"
    title = "Bad request"


class PartsCount:
    """Counts what separates and opens the values of a JSON text; what stands inside of strings is none of that."""

    def __init__(self, most: int = MAX_PARTS) -> None:
        self._most = most
        self._commas = 0
        self._opened = 0
        self._in_string = False
        self._escape = b""
        self._is_plain = True

    def add(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            JsonTooDeep: the text has more parts than any honest one.
        """
        piece = self._outside(piece)
        self._commas += piece.count(b",")
        self._opened += piece.count(b"{") + piece.count(b"[")
        if self._commas + self._opened <= self._most:
            return
        # n brackets between k commas lie at least n / (k + 1) deep.
        if self._opened > MAX_DEPTH * (self._commas + 1):
            raise JsonTooDeep("the body is nested too deeply", "Send an object of a few levels.")
        raise JsonTooDeep(f"the body has more than {self._most} values", "Send a smaller body.")

    def _outside(self, piece: bytes) -> bytes:
        """What of the bytes stands outside of strings, as far as a parser comes."""
        # UTF-16 and UTF-32, of which the first sign already has a NUL: a byte may look like a quotation mark there.
        self._is_plain = self._is_plain and b"\0" not in piece
        if not self._is_plain:
            return piece
        piece = (self._escape + piece).replace(rb"\\", b"")
        self._escape = b"\\" if piece.endswith(b"\\") else b""
        parts = piece.removesuffix(b"\\").replace(rb"\"", b"").split(b'"')
        outside = parts[self._in_string :: 2]
        self._in_string ^= len(parts) % 2 == 0
        return b" ".join(outside)
