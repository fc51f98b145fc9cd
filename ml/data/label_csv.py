"""A list of labels that comes with images: ``filename,label[,split]``, as spreadsheets and data sets have it."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import Field

from ml.config_rules import Strict
from ml.data.given_split import Side, side_named
from ml.data.heartbeat import Heartbeat
from ml.errors import DatasetUnusable
from ml.unpack.entry_names import ENCODING_HINT
from ml.unpack.entry_paths import DEPTH

MAX_BYTES = 64 << 20
MAX_ROWS = 500_000
_MAX_LINES = 1 << 20
"""With those of nothing but separators, which spreadsheets write down to their last row."""
MAX_LINE_CHARS = 1 << 16
"""Of a row, however many lines its quoted cells run over: all of it is read before anything else is done."""
MAX_LABEL_CHARS = 255
MAX_NAME_CHARS = 4096
_MAX_PART_CHARS = 4 * MAX_LABEL_CHARS
"""Of a label, and of what lies between two slashes of a name, as it is written: taken apart (NFD), letters are up to
four. Composing a text takes time by the square of a run of marks."""
EXAMPLES = 5
_SEPARATORS = ",;\t"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
"""Unicode's category Cc."""
_NAMES = ("filename", "file_name", "file", "filepath", "path", "image", "image_name", "image_id", "name", "id")
_LABELS = ("label", "labels", "class", "class_name", "breed", "category", "target", "species")
_SPLITS = ("split", "set", "subset")
"""Headings of the three columns, the surest first."""
_HEADINGS = frozenset((*_NAMES, *_LABELS, *_SPLITS))
_SAID_SEPARATOR = re.compile(r'\A"?sep=([,;\t])"?\r?\n')
_TOO_LONG = f"a name of more than {MAX_NAME_CHARS} or a label of more than {MAX_LABEL_CHARS} characters"
_FORM = "Write it as filename,label or filename,label,split, one image a line, in UTF-8."


class Row(NamedTuple):
    """What the list says of an image; ``label`` is None where two lines contradict each other."""

    label: str | None
    side: Side | None
    line: int


class Tally(Strict):
    """How many there are of a kind, and some of them."""

    count: int = Field(0, ge=0)
    examples: tuple[str, ...] = ()


class Counting:
    """What becomes a Tally."""

    def __init__(self) -> None:
        self._count, self._examples = 0, list[str]()

    def add(self, example: str) -> None:
        self._count += 1
        if len(self._examples) < EXAMPLES:
            self._examples.append(example[:200])

    def tally(self) -> Tally:
        return Tally(count=self._count, examples=tuple(self._examples))


class ListReport(Strict):
    """What a list of labels had besides good lines.

    Attributes:
        rows: lines with a name.
        unusable: lines that are not taken, with the reason.
        repeated: names that stand there again with the same label.
        contradicting: names that stand there with different labels or sides; they get none.
        ambiguous: names that fit several images; they get none.
        without_file: names that fit no image.
    """

    rows: int = Field(ge=0)
    unusable: Tally = Tally()
    repeated: Tally = Tally()
    contradicting: Tally = Tally()
    ambiguous: Tally = Tally()
    without_file: Tally = Tally()


@dataclass
class LabelList:
    """The rows by name, in NFC with slashes, and what else was found."""

    rows: dict[str, Row] = field(default_factory=dict)
    report: ListReport = field(default_factory=lambda: ListReport(rows=0))

    def name_for(self, path: str) -> str | None:
        """The name in the list that an image goes by: its path, else the end of it, else that without its suffix.

        Of a path that lies deeper than archives have it, ends of up to 32 parts are looked for.
        """
        path = unicodedata.normalize("NFC", path)
        names = _ends(path), map(_bare, _ends(path))
        return next((name for some in names for name in some if name in self.rows), None)


def _ends(path: str) -> Iterator[str]:
    """The path, then what of it follows each of its last slashes."""
    yield path
    at = 0
    for _ in range(path.count("/") - DEPTH):
        at = path.index("/", at) + 1
    while at := path.find("/", at) + 1:
        yield path[at:]


def _bare(path: str) -> str:
    """Without the suffix of the file's name; a dot at either end of that is none."""
    dot = path.rfind(".", path.rfind("/") + 2)
    return path[:dot] if 0 <= dot < len(path) - 1 else path


def read_label_list(data: bytes, encoding: str | None = None, heartbeat: Callable[[], None] | None = None) -> LabelList:
    r"""Read a list, with or without a line of headings, separated by ``,``, ``;`` or tabs.

    Args:
        data: the file's bytes.
        encoding: of its text, one of ml.unpack.entry_names' list; None: what its byte order mark says, else UTF-8.
        heartbeat: called now and then; what it raises ends the reading.

    Raises:
        DatasetUnusable: it is too large, in another encoding, or has no line with a name and a label.
    """
    if len(data) > MAX_BYTES:
        raise DatasetUnusable(f"the list of labels has {len(data)} bytes, at most {MAX_BYTES} are read", hint=_FORM)
    reading = _Reading()
    for line, cells in _lines(_Text(data, encoding, Heartbeat(heartbeat))):
        if line > MAX_ROWS:
            raise DatasetUnusable(f"the list of labels has more than {MAX_ROWS} lines", hint=_FORM)
        reading.take(line, cells)
    found = reading.done()
    if not found.rows:
        why = f" ({found.report.unusable.examples[0]})" if found.report.unusable.count else ""
        raise DatasetUnusable(f"the list of labels has no line with a name and a label{why}", hint=_FORM)
    return found


class _Text:
    """The text of a list, read in pieces: a file of 64 MiB may be one line, or one quoted cell of many."""

    def __init__(self, data: bytes, encoding: str | None, heart: Heartbeat) -> None:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        elif data.startswith(codecs.BOM_UTF8):
            encoding = "utf-8-sig"
        self._encoding, self._heart = encoding or "utf-8", heart
        self._bytes = io.BytesIO(data)
        self._stream = io.TextIOWrapper(self._bytes, encoding=self._encoding, newline="")
        self._number = self._began = self._chars = 0

    def head(self) -> str:
        text = self._decoded(self._stream.read, MAX_NAME_CHARS)
        self._stream.seek(0)
        return text

    def leave_out_line(self) -> None:
        """Go on with the next line, which is counted as the first."""
        self._decoded(self._stream.readline, MAX_LINE_CHARS)

    def end_row(self) -> None:
        """Say that the lines so far have become rows: only those of one row have a limit together."""
        self._began, self._chars = self._number, 0

    def lines(self) -> Iterator[str]:
        """The lines with their ends, whichever these are.

        Raises:
            DatasetUnusable: it is in another encoding, has too many lines, or too long a row.
        """
        return self._heart.over(iter(self._line, ""))

    def _line(self) -> str:
        line = self._decoded(self._stream.readline, MAX_LINE_CHARS + 1)
        self._number += 1
        self._chars += len(line)
        if self._chars > MAX_LINE_CHARS:
            raise self._too_long()
        if self._number > _MAX_LINES and line:
            detail = f"the list of labels has more than {_MAX_LINES} lines, empty ones among them"
            raise DatasetUnusable(detail, hint=_FORM)
        return line

    def _too_long(self) -> DatasetUnusable:
        first, last = self._began + 1, self._number
        if first == last:
            why = f"the line has more than {MAX_LINE_CHARS} characters"
            return DatasetUnusable(f"the list of labels cannot be read at line {first}: {why}", hint=_FORM)
        why = f"a quotation mark makes lines {first} to {last} one, of more than {MAX_LINE_CHARS} characters"
        detail = f"the list of labels cannot be read at line {first}: {why}"
        return DatasetUnusable(detail, hint=f"Close the quotation mark, or leave it out. {_FORM}")

    def _decoded(self, read: Callable[[int], str], most: int) -> str:
        try:
            return read(most)
        except UnicodeDecodeError as error:
            at = self._bytes.tell() - len(error.object) + error.start
            detail = f"the list of labels is not {self._encoding} (byte {at})"
            raise DatasetUnusable(detail, hint=f"Save it as UTF-8, or give its `encoding`. {ENCODING_HINT}") from None


class _Cells(NamedTuple):
    """Of a line: what the three columns hold, without the spaces around it."""

    name: str
    label: str
    side: str


class _Columns(NamedTuple):
    name: int = 0
    label: int = 1
    side: int | None = 2

    def of(self, row: Sequence[str]) -> _Cells:
        """Their cells; a row that is too short for one has it empty."""
        name, label, side = (row[at].strip() if at is not None and at < len(row) else "" for at in self)
        return _Cells(name, label, side)


def _lines(text: _Text) -> Iterator[tuple[int, _Cells]]:
    """The lines with something in them, numbered from 1."""
    head = text.head()
    said = _SAID_SEPARATOR.match(head)
    if said:
        text.leave_out_line()
    lines = csv.reader(text.lines(), delimiter=said[1] if said else _separator(head))
    columns: _Columns | None = None
    try:
        for row in lines:
            text.end_row()
            if not "".join(row).strip():
                continue
            if columns is None:
                columns = _headings(row)
                if columns is not None:
                    continue
                columns = _Columns()
            yield lines.line_num, columns.of(row)
    except csv.Error as error:
        detail = f"the list of labels cannot be read at line {lines.line_num}: {error}"
        raise DatasetUnusable(detail, hint=_FORM) from None


def _separator(text: str) -> str:
    """What parts the first line of the text into most cells; of equals the comma."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(_SEPARATORS, key=lambda separator: len(next(csv.reader([first], delimiter=separator), [])))


def _headings(cells: Sequence[str]) -> _Columns | None:
    places = dict[str, int]()
    for at, cell in enumerate(cells):
        if (word := cell.strip().lower().replace(" ", "_")) in _HEADINGS:
            places.setdefault(word, at)
    name, label, side = (
        next((places[word] for word in known if word in places), None) for known in (_NAMES, _LABELS, _SPLITS)
    )
    return None if name is None or label is None else _Columns(name, label, side)


class _Reading:
    """A list while it is read: counted in place, because it may have half a million lines."""

    def __init__(self) -> None:
        self._rows = dict[str, Row]()
        self._named = 0
        self._unusable, self._repeated, self._contradicting = Counting(), Counting(), Counting()

    def take(self, line: int, cells: _Cells) -> None:
        name, label = cells.name.replace("\\", "/").removeprefix("./"), cells.label
        why = _too_long(name, label)
        if why is None:
            name, label = unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", label)
            why = _unusable(name, label, cells.side)
        if why is not None:
            self._unusable.add(f"line {line}: {why}")
            return
        self._named += 1
        self._keep(name, Row(label, side_named(cells.side), line))

    def _keep(self, name: str, row: Row) -> None:
        before = self._rows.setdefault(name, row)
        if before is row:
            return
        if before[:2] == row[:2]:
            self._repeated.add(name)
        elif before.label is not None:
            self._contradicting.add(f"{name}: lines {before.line} and {row.line}")
            self._rows[name] = Row(None, None, before.line)

    def done(self) -> LabelList:
        report = ListReport(
            rows=self._named,
            unusable=self._unusable.tally(),
            repeated=self._repeated.tally(),
            contradicting=self._contradicting.tally(),
        )
        return LabelList(self._rows, report)


def _too_long(name: str, label: str) -> str | None:
    """Why a line's texts are not even composed; None where they are."""
    if len(label) > _MAX_PART_CHARS or len(name) > _MAX_PART_CHARS * MAX_NAME_CHARS // MAX_LABEL_CHARS:
        return _TOO_LONG
    if max(map(len, name.split("/"))) > _MAX_PART_CHARS:
        return f"a part of the name of more than {_MAX_PART_CHARS} characters"
    return None


def _unusable(name: str, label: str, word: str) -> str | None:
    """Why a line cannot be taken; None where it can."""
    if not name or not label:
        return "no name" if not name else "no label"
    if _CONTROL.search(name) or _CONTROL.search(label):
        return "a control character in the name or the label"
    if len(name) > MAX_NAME_CHARS or len(label) > MAX_LABEL_CHARS:
        return _TOO_LONG
    if word and side_named(word) is None:
        return f"the split {word[:40]!r} is not train, valid or test"
    return None
