"""The answers of a predict job as two files: CSV for a spreadsheet, lines of JSON for a program."""

import csv
import json
import math
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

    def __init__(self, folder: Path, vocab: tuple[str, ...]) -> None:
        self.csv, self.lines = folder / ANSWERS_CSV, folder / ANSWERS_LINES
        self.rows = self.broken = 0
        self._vocab = vocab
        self._open = ExitStack()

    def __enter__(self) -> Self:
        table = self._open.enter_context(self.csv.open("w", encoding="utf-8", errors="backslashreplace", newline=""))
        self._lines = self._open.enter_context(self.lines.open("w", encoding="utf-8"))
        self._table = csv.writer(table)
        self._table.writerow(["path", "breed", "probability", "error", *map(cell, self._vocab)])
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, answer: Answer) -> None:
        """One picture's row in both."""
        self.rows += 1
        row = self._row(answer)
        self._lines.write(json.dumps(row, allow_nan=False) + "\n")
        found = row.get("probabilities", {})
        cells = [row.get("breed", ""), row.get("probability", ""), row.get("error", {}).get("code", "")]
        self._table.writerow([cell(answer.path), *map(cell, cells), *(found.get(breed, "") for breed in self._vocab)])

    def _row(self, answer: Answer) -> dict[str, Any]:
        if answer.error is not None:
            self.broken += 1
            error = answer.error
            return {"path": answer.path, "error": {"code": error.code, "detail": error.detail, "hint": error.hint}}
        assert answer.scores is not None  # noqa: S101 - it is the one or the other
        # JSON has no word for what is no number.
        scores = [round(float(score), _DIGITS) if math.isfinite(score) else None for score in answer.scores]
        best = int(answer.scores.argmax())
        return {
            "path": answer.path,
            "breed": self._vocab[best],
            "species": species_of(self._vocab[best]),
            "probability": scores[best],
            "known_score": answer.known_score,
            "probabilities": dict(zip(self._vocab, scores, strict=True)),
        }
