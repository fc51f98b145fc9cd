"""The answers of a predict job as two files: CSV for a spreadsheet, lines of JSON for a program.

The lines hold all that the CSV does, so that of an attempt that broke off they alone are kept.
"""

import csv
import json
import math
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from ml.breeds import species_of
from ml.serve.many import Answer
from store.keys import ANSWERS_CSV, ANSWERS_LINES
from store.spreadsheets import cell

_DIGITS = 6


class AnswerFiles:
    """Written row by row within their block. ``broken`` counts the pictures that could not be used."""

    def __init__(self, folder: Path, vocab: tuple[str, ...], refused_share: float) -> None:
        """Of known pictures ``refused_share`` may be taken for unknown."""
        self.csv, self.lines = folder / ANSWERS_CSV, folder / ANSWERS_LINES
        self.rows = self.broken = 0
        self._vocab, self._refused_share = vocab, refused_share
        self._copied = 0
        self._open = ExitStack()

    def __enter__(self) -> Self:
        table = self._open.enter_context(self.csv.open("w", encoding="utf-8", errors="backslashreplace", newline=""))
        self._lines = self._open.enter_context(self.lines.open("w", encoding="utf-8"))
        self._table = csv.writer(table)
        self._table.writerow(["path", "breed", "probability", "sure", "known", "error", *map(cell, self._vocab)])
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, answer: Answer) -> None:
        """One picture's row in both."""
        self._add(self._row(answer))

    def take_up(self, lines: Path) -> None:
        """Rows of an attempt before this one, as :meth:`copy_new` left them."""
        with lines.open(encoding="utf-8") as rows:
            for row in rows:
                self._add(json.loads(row))
        self._lines.flush()
        self._copied = self.lines.stat().st_size

    def copy_new(self, into: Path) -> int:
        """Write the lines that are new since the last copy into a file; how many bytes they are."""
        self._lines.flush()
        with self.lines.open("rb") as lines, into.open("wb") as part:
            lines.seek(self._copied)
            shutil.copyfileobj(lines, part)
            return part.tell()

    def note_copied(self, count: int) -> None:
        """So many bytes more of the lines need not be copied again."""
        self._copied += count

    def _add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self.broken += "error" in row
        self._lines.write(json.dumps(row, allow_nan=False) + "\n")
        found = row.get("probabilities", {})
        told = [row.get("breed", ""), row.get("probability", ""), _word(row.get("sure")), _word(row.get("known"))]
        cells = [row["path"], *told, row.get("error", {}).get("code", "")]
        self._table.writerow([*map(cell, cells), *(found.get(breed, "") for breed in self._vocab)])

    def _row(self, answer: Answer) -> dict[str, Any]:
        if answer.error is not None:
            error = answer.error
            return {"path": answer.path, "error": {"code": error.code, "detail": error.detail, "hint": error.hint}}
        judged = answer.judged
        assert judged is not None  # noqa: S101 - it is the one or the other
        # JSON has no word for what is no number.
        scores = [round(float(score), _DIGITS) if math.isfinite(score) else None for score in judged.probabilities]
        best = judged.order[0]
        return {
            "path": answer.path,
            "breed": self._vocab[best],
            "species": species_of(self._vocab[best]),
            "probability": scores[best],
            "sure": judged.sure(self._refused_share),
            "known": judged.known(self._refused_share),
            "known_score": judged.known_score,
            "probabilities": dict(zip(self._vocab, scores, strict=True)),
        }


def _word(told: bool | None) -> str:
    """As in the CSV of ``pedigree predict --csv``: true, false, or nothing where it cannot be said."""
    return "" if told is None else str(told).lower()
