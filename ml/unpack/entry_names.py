"""What an archive's names say: an old zip or tar does not tell in which encoding its names are written."""

import re
import struct
import zlib
from encodings import normalize_encoding
from encodings.aliases import aliases

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import shown

DOS = "cp437"
"""What a zip's names are in where nothing else is said (PKWARE's APPNOTE.TXT, appendix D)."""
# fmt: off
ENCODINGS = frozenset({
    "utf_8", "cp437", "cp720", "cp737", "cp775", "cp850", "cp852", "cp855", "cp857", "cp858", "cp860", "cp861",
    "cp862", "cp863", "cp864", "cp865", "cp866", "cp869", "cp874", "cp932", "cp949", "cp950", "cp1125", "cp1250",
    "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "big5", "big5hkscs", "euc_jp",
    "euc_kr", "gb2312", "gbk", "gb18030", "johab", "shift_jis", "shift_jisx0213", "koi8_r", "koi8_u", "mac_roman",
    "mac_cyrillic", "mac_greek", "mac_latin2", "mac_turkish", "latin_1", "iso8859_2", "iso8859_3", "iso8859_4",
    "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8", "iso8859_9", "iso8859_10", "iso8859_11", "iso8859_13",
    "iso8859_14", "iso8859_15", "iso8859_16",
})
# fmt: on
"""Python's names of the encodings that file names were ever written in. A fixed list: a codec may do anything."""
ENCODING_HINT = "Usual ones are utf-8, cp932 (Japanese), gbk (Chinese), cp949 (Korean), cp866 (Cyrillic), cp850."
BACKSLASH = "\N{FULLWIDTH REVERSE SOLIDUS}"
"""Stands in a guessed name for a backslash that is no separator."""
_HALF_OF_A_LETTER = re.compile(r"(?<=[^\x00-\x7f])\\")
"""In cp932, Big5 and GBK a letter's second byte may be a backslash's. Programs that write names in such an encoding
separate folders by a slash."""
_HALF_BEFORE_A_SUFFIX = re.compile(r"(?<=[^\x00-\x7f])\\(?=\.)")
"""The same where backslashes do separate folders: a photo has more of a name than its suffix."""
_WRITTEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.: -]{0,39}")
_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075
_FIELD = struct.Struct("<HH")
_UNICODE_HEAD = struct.Struct("<BL")


def known_encoding(name: str) -> str:
    """Python's own name of an encoding that names may be in.

    Raises:
        ValueError: it is none of them; the rest of a sentence about it.
    """
    if _WRITTEN.fullmatch(name):
        plain = normalize_encoding(name).lower()
        found = aliases.get(plain, plain)
        if found in ENCODINGS:
            return found
    message = "is no encoding that names of files are written in"
    raise ValueError(message)


class ZipNames:
    """Reads the names of one zip's entries, and keeps what had to be guessed."""

    def __init__(self, encoding: str | None) -> None:
        """``encoding`` is for the names that do not say theirs; None: UTF-8 where they are that, else DOS."""
        self._encoding = encoding
        self.backslashes_separate = False
        """Whether folders are separated by them in this zip, and by no slash."""
        self._guessed, self._halves, self._ends, self._first = 0, 0, 0, ""

    def read(self, raw: bytes, flags: int, extra: bytes) -> str:
        """The name of an entry.

        Args:
            raw: its bytes.
            flags: the entry's general purpose flags.
            extra: the entry's extra fields.

        Raises:
            ArchiveRejected: the name is not in the encoding that was given, or one told in UTF-8 has a NUL in it.
            UnicodeDecodeError: it is said to be UTF-8 and is not.
        """
        # What follows a NUL is no part of a name, zipfile says, too.
        told = None if flags & _UTF8_FLAG else _unicode_path(raw, extra)
        if told is not None:
            return told
        # Some encodings have other signs in ASCII's places; programs that separate folders mean ASCII's.
        plain = flags & _UTF8_FLAG or raw.isascii()
        return (raw.decode() if plain else self._decoded(raw)).split("\0", 1)[0]

    def note(self) -> str | None:
        """A sentence about the names that nothing said how to read; None where there are none."""
        if not self._guessed:
            return None
        guessed = f"{self._guessed} names in the zip do not say their encoding and are not UTF-8"
        said = [f"{guessed}; they were read as {DOS}, for example {shown(self._first)}."]
        if self._halves:
            said.append(f"In {self._halves} of them a backslash was taken for half of a letter.")
        if self._ends:
            ends = "a backslash behind a letter beyond ASCII was taken for the end of a folder"
            said.append(f"In {self._ends} of them {ends}.")
        return " ".join((*said, "If that looks wrong, give `encoding`.", ENCODING_HINT))

    def _decoded(self, raw: bytes) -> str:
        if self._encoding is not None:
            return _strictly(raw, self._encoding)
        name = _utf8(raw)
        if name is None:
            half = _HALF_BEFORE_A_SUFFIX if self.backslashes_separate else _HALF_OF_A_LETTER
            name, halves = half.subn(BACKSLASH, raw.decode(DOS))
            self._guessed += 1
            self._halves += halves > 0
            self._ends += _HALF_OF_A_LETTER.search(name) is not None
            self._first = self._first or name
        return name


def tar_name(name: str, encoding: str | None) -> str:
    """A tar's name as tarfile decoded it, other bytes than the encoding's as surrogates.

    Raises:
        ArchiveRejected: the name is not in the encoding that was given.
    """
    if name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name):
        return name
    if encoding is not None:
        raise _not_in(name.encode("utf-8", "surrogateescape"), encoding)
    return _HALF_OF_A_LETTER.sub(BACKSLASH, name)


def _strictly(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise _not_in(raw, encoding) from None


def _not_in(raw: bytes, encoding: str) -> ArchiveRejected:
    shown = raw.decode("ascii", "backslashreplace")[:120]
    return ArchiveRejected(f"the name {shown} is not {encoding}", hint=f"Give another encoding. {ENCODING_HINT}")


def _unicode_path(raw: bytes, extra: bytes) -> str | None:
    """Info-ZIP's Unicode path, where it is of this name: a tool that renames an entry may leave the old one behind."""
    at = 0
    while at + _FIELD.size <= len(extra):
        kind, size = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        field = extra[at : at + size]
        at += size
        if kind != _UNICODE_PATH or len(field) < _UNICODE_HEAD.size:
            continue
        version, checksum = _UNICODE_HEAD.unpack_from(field)
        if version == 1 and checksum == zlib.crc32(raw):
            return _without_nul(_utf8(field[_UNICODE_HEAD.size :])) or None
    return None


def _without_nul(name: str | None) -> str | None:
    if name is not None and "\0" in name.rstrip("\0"):
        raise ArchiveRejected(f"the name {shown(name)} of an entry has a NUL in it", hint="Make the archive again.")
    return name and name.rstrip("\0")


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
