"""A predict job: a registered version answers for every picture of a dataset or an archive; the answers are two files.

An attempt that breaks off has kept its answers now and then; the next one goes on behind them.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ml.data.hidden_files import note_of_hidden
from ml.data.suffixes import SUFFIXES
from ml.errors import DatasetUnusable, Stopped
from ml.reporting import Progress
from ml.serve.many import Answer, Picture, predict_many
from ml.unpack.archive import extract_archive
from ml.versions import check_versions
from store.db.reading import files_to_serve
from store.keys import ANSWERS_CSV, ANSWERS_LINES, answers_key
from worker.answer_files import AnswerFiles
from worker.answer_parts import AnswerParts
from worker.attempt import MIB, Attempt
from worker.chosen_way import load_as_chosen
from worker.stage_progress import StageProgress

BATCH = 32


def predict_pictures(attempt: Attempt) -> None:
    """Answer for the pictures that the job's payload names, and put the files on record.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    check_versions()
    payload = attempt.job.payload
    classifier = load_as_chosen(attempt, _model(attempt, int(payload["run_id"])), int(payload["version"]))
    way = classifier.way
    attempt.reporter.on_log(f"answers are computed by {way.engine} in {way.precision}, from the {way.input} input")
    pictures, total = _pictures(attempt, payload)
    batch = max(1, BATCH // attempt.accumulation)
    files = AnswerFiles(attempt.work, classifier.vocab, attempt.settings.refused_share)
    parts = AnswerParts(attempt)
    try:
        with files:
            parts.take_up(files)
            left = islice(pictures, files.rows, None)
            _answer(attempt, predict_many(classifier, left, attempt.limits, batch), files, parts, total)
    finally:
        classifier.close()
    if files.broken:
        attempt.reporter.on_log(f"{files.broken} of {files.rows} photos could not be used; their rows say why")
    stored = _store(attempt, files)
    told = {"answers": stored, "pictures": files.rows, "broken": files.broken, "parts": []}
    attempt.write(lambda session: attempt.succeed(session, **told))
    parts.forget()
    if "upload" in payload:
        attempt.drop(payload["upload"])


def _model(attempt: Attempt, run_id: int) -> Path:
    folder = attempt.work / "model"
    for file in attempt.read(lambda session: files_to_serve(session, run_id)):
        attempt.fetch(file.key, folder / file.name, expected_sha256=file.sha256)
    return folder


def _pictures(attempt: Attempt, payload: dict[str, Any]) -> tuple[Iterator[Picture], int]:
    """The pictures in the order of their paths, and how many they are."""
    if "upload" in payload:
        folder = _unpacked(attempt, payload["upload"])
        hidden = note_of_hidden(folder)
        paths = _paths_below(folder, hidden)
        if hidden is not None:
            attempt.reporter.on_log(hidden)
        most = attempt.limits.max_bytes + 1
        return (Picture(path, _reading_file(folder / path, most)) for path in paths), len(paths)
    manifest, source = attempt.dataset(int(payload["dataset_id"]))
    source.prepare()
    items = enumerate(manifest.items)
    return (Picture(item.path, _reading(source.read, index)) for index, item in items), len(manifest.items)


def _reading(read: Callable[[int], bytes], index: int) -> Callable[[], bytes]:
    return lambda: read(index)


def _reading_file(path: Path, most: int) -> Callable[[], bytes]:
    """At most so many bytes, one more than the decoder takes: a file of gigabytes is refused and never held."""

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(most)

    return read


def _unpacked(attempt: Attempt, key: str) -> Path:
    folder = attempt.work / "pictures"
    said = extract_archive(
        attempt.fetch_upload(key, "archive"),
        folder,
        max_bytes=attempt.settings.max_unpacked_bytes,
        on_progress=StageProgress(attempt, "unpack", MIB),
    )
    if said is not None:
        attempt.reporter.on_log(said)
    return folder


def _paths_below(folder: Path, hidden: str | None) -> list[str]:
    """Of what is named as a picture and not hidden, sorted; ``hidden`` is the sentence about what is.

    Raises:
        DatasetUnusable: there is none.
    """
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures = (name for name in names if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES)
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in pictures]
    if not found and hidden is not None:
        detail = f"the archive has no picture in it that is looked at: {hidden}"
        raise DatasetUnusable(detail, hint="Give the files and folders names that do not begin with a dot.")
    if not found:
        raise DatasetUnusable("the archive has no picture in it", hint="Pack pictures, such as JPEG files.")
    return sorted(found)


def _answer(attempt: Attempt, answers: Iterable[Answer], files: AnswerFiles, parts: AnswerParts, total: int) -> None:
    """Write the answers that are left, with the progress told and the wish to stop heard."""
    began, before = time.monotonic(), files.rows
    attempt.reporter.on_progress(Progress(stage="predict", in_batches=True, step=before, steps=total))
    for answer in answers:
        files.write(answer)
        done = files.rows
        left = (time.monotonic() - began) / (done - before) * (total - done)
        attempt.reporter.on_progress(
            Progress(stage="predict", in_batches=True, step=done, steps=total, eta_seconds=left)
        )
        if attempt.reporter.should_stop():
            parts.keep(files)
            raise Stopped
        parts.keep_in_time(files)


def _store(attempt: Attempt, files: AnswerFiles) -> dict[str, dict[str, Any]]:
    """Upload the files; from name to key, sha256 and bytes."""
    stored = {}
    for name, path in ((ANSWERS_CSV, files.csv), (ANSWERS_LINES, files.lines)):
        key = answers_key(attempt.job.id, attempt.number, name)
        done = attempt.put(key, path)
        stored[name] = {"key": done.key, "sha256": done.sha256, "bytes": done.bytes}
    return stored
