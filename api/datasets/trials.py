"""Label rules tried before an import: on names that are sent, or on those in an upload."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from api.datasets.archive_readers import ArchiveReaders
from api.datasets.label_rules import encoding_of, label_rule
from api.http.turns import Turns
from api.schemas.uploads import RuleOnNames, RuleOnUpload
from ml.data.rule_trial import RuleTrial, try_rule
from ml.errors import ArchiveRejected, DatasetUnusable
from ml.unpack.listing import Listing, list_archive
from store.errors import AppError, InvalidRequest, StateConflict

AT_ONCE = 2
READ_SECONDS = 5.0
"""Of processor time for reading an archive's names."""
RULE_SECONDS = 8.0
"""Of processor time for matching a regex: on 200,000 ordinary names the usual one takes two to five, and one that finds
nothing looks at each twice."""
TRIAL_SECONDS = 15.0
"""Of processor time in all: 200,000 names with a list as long take a few."""
_KEPT = 2
"""Archives whose names are held: whoever tries a rule changes it a few times."""
KEPT_BYTES = 24 << 20
"""Of all names and tables that are held; objects make a few times as much of names."""


class TrialRefused(InvalidRequest):
    """The names cannot be read, or the rule cannot be used on them."""

    code = "trial_refused"
    title = "The rule cannot be tried"


class _Refused(Protocol):
    detail: str
    hint: str | None


class Trials:
    """Tries rules, two at a time at most: each may cost seconds of a core."""

    def __init__(self, readers: ArchiveReaders, max_bytes: int) -> None:
        """``max_bytes`` is what an archive may unpack to."""
        self._readers = readers
        self._max_bytes = max_bytes
        self._turns = Turns(AT_ONCE, "label rules are being tried")
        self._lists = Turns(AT_ONCE, "archives are being listed")
        self._lock = threading.Lock()
        self._listings: OrderedDict[tuple[str, str | None], Listing] = OrderedDict()

    def on_names(self, asked: RuleOnNames) -> RuleTrial:
        """Try a rule on names.

        Raises:
            InvalidRequest: the rule is not accepted, or cannot be used.
            TooBusy: others are at it.
        """
        rule = label_rule(asked, beside=False)
        with self._turns.one(), _told():
            return try_rule(asked.names, rule, seconds=TRIAL_SECONDS, rule_seconds=RULE_SECONDS)

    def on_upload(self, upload_id: str, archive: Path, asked: RuleOnUpload) -> RuleTrial:
        """Try a rule on the names in an archive that has come whole.

        Raises:
            InvalidRequest: the rule or the encoding is not accepted, or it is no archive that can be read.
            TooBusy: others are at it.
        """
        rule, encoding = label_rule(asked, beside=False), encoding_of(asked)
        found = self._held(upload_id, encoding, rule.csv)
        if found is None:
            # Whoever waits for an archive keeps nobody from trying a rule.
            with self._lists.one(), _told():
                found = self._read(upload_id, archive, encoding, rule.csv)
        with self._turns.one(), _told():
            trial = try_rule(
                found.names,
                rule,
                tables=found.tables,
                too_large=found.too_large,
                encoding=encoding,
                complete=found.complete,
                seconds=TRIAL_SECONDS,
                rule_seconds=RULE_SECONDS,
            )
        return trial if found.note is None else replace(trial, notes=[*trial.notes, found.note])

    def _held(self, upload_id: str, encoding: str | None, table: str | None) -> Listing | None:
        """What was read of an archive before, where that is all that is asked for."""
        with self._lock:
            known = self._listings.get((upload_id, encoding))
        return known if known is not None and (table is None or known.has_looked_at(table)) else None

    def _read(self, upload_id: str, archive: Path, encoding: str | None, table: str | None) -> Listing:
        with self._readers.one():
            found = list_archive(
                archive, seconds=READ_SECONDS, encoding=encoding, max_bytes=self._max_bytes, table=table
            )
        if not found.had_time:
            return found
        with self._lock:
            self._listings[upload_id, encoding] = found
            while len(self._listings) > _KEPT or sum(one.bytes for one in self._listings.values()) > KEPT_BYTES:
                self._listings.popitem(last=False)
        return found


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (ArchiveRejected, DatasetUnusable) as error:
        raise _refusal(error) from error
    except FileNotFoundError:
        raise StateConflict("the upload is becoming an import", "Look at its job.") from None


def _refusal(error: _Refused) -> AppError:
    return TrialRefused(error.detail, error.hint)
