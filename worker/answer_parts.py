"""What a predict job has answered so far: kept in the artifact store, where the next attempt finds it."""

import logging
import time
from pathlib import Path
from typing import Any

from store.db.jobs import save_answer_parts
from store.errors import ArtifactMissing, ServiceUnavailable
from store.keys import answers_part_key
from worker.answer_files import AnswerFiles
from worker.attempt import Attempt

log = logging.getLogger(__name__)


class AnswerParts:
    """Parts of the lines, in their order; the job's payload names them with their hashes."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._kept: list[dict[str, Any]] = []
        self._kept_at = time.monotonic()

    def take_up(self, files: AnswerFiles) -> None:
        """Put what attempts before this one left into ``files``, up to the first part that is gone or damaged."""
        for number, part in enumerate(self._attempt.job.payload.get("parts", [])):
            try:
                files.take_up(self._fetched(part, self._attempt.work / f"earlier-{number}.jsonl"))
            except ArtifactMissing as error:
                self._attempt.reporter.on_log(f"a part of the answers is answered again: {error.detail}")
                break
            self._kept.append(part)
        if files.rows:
            self._attempt.reporter.on_log(f"{files.rows} photos were answered before; it goes on behind them")

    def keep_in_time(self, files: AnswerFiles) -> None:
        """Keep what is new, once in ``PEDIGREE_CHECKPOINT_SECONDS``."""
        if time.monotonic() - self._kept_at >= self._attempt.settings.checkpoint_seconds:
            self.keep(files)

    def keep(self, files: AnswerFiles) -> None:
        """Store what is new, then name it in the record. A store that is away costs this part, not the job.

        Raises:
            Stopped: the job is not this attempt's any more.
        """
        attempt, path = self._attempt, self._attempt.work / "part.jsonl"
        self._kept_at = time.monotonic()
        if not (count := files.copy_new(path)):
            return
        key = answers_part_key(attempt.job.id, attempt.number, len(self._kept))
        try:
            stored = attempt.artifacts.put_file(key, path)
        except ServiceUnavailable as error:
            log.warning("job %d: a part of its answers was not kept: %s", attempt.job.id, error.detail)
            return
        parts = [*self._kept, {"key": stored.key, "sha256": stored.sha256}]
        attempt.reporter.record(lambda session: save_answer_parts(session, attempt.job.id, parts))
        self._kept = parts
        files.note_copied(count)

    def forget(self) -> None:
        """Drop them all: the job has its answers."""
        for part in self._kept:
            self._attempt.drop(part["key"])

    def _fetched(self, part: dict[str, Any], into: Path) -> Path:
        return self._attempt.fetch(part["key"], into, expected_sha256=part["sha256"])
