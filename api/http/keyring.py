"""The keys in memory: no request asks the database whose it is."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import compare_digest

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from store.access import digest_of
from store.db.access_keys import KeyInUse, KeysOnRecord, SessionInUse, keys_on_record, note_uses
from store.db.sign_ins import PersonInUse, sign_ins_on_record

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How long another process's revocation takes to arrive here."""
MOMENT_SECONDS = 0.1
"""Sessions that nobody knows have the record read once in so long at most."""
MOST_STRANGERS = 10_000
OLDEST_SECONDS = 600.0
"""While the database is away, what was known before holds for so long."""
WRITE_SECONDS = 60.0
"""Uses are written together, this far apart."""
STOP_SECONDS = 5.0
"""A stop waits no longer for a database that says nothing: the last minute's uses are then not noted."""
NOBODYS = digest_of("")
"""What a key of an unknown number is compared with, so that the answer takes the same time."""


@dataclass(frozen=True)
class AccessSnapshot:
    """What was on record at one moment."""

    any_made: bool
    keys: Mapping[int, KeyInUse]
    sessions: Mapping[bytes, SessionInUse]
    people: Mapping[bytes, PersonInUse]
    read_at: float
    """When the reading began: what was on record before that is in it."""

    @classmethod
    def of(cls, found: KeysOnRecord, people: Iterable[PersonInUse], read_at: float) -> "AccessSnapshot":
        keys = {key.id: key for key in found.keys}
        sessions = {one.digest: one for one in found.sessions}
        return cls(found.any_made, keys, sessions, {one.digest: one for one in people}, read_at)

    def by_key(self, key_id: int, secret: str) -> KeyInUse | None:
        """The key, where the secret is its own and it has not expired."""
        key = self.keys.get(key_id)
        is_its = compare_digest(digest_of(secret), NOBODYS if key is None else key.digest)
        return key if key is not None and is_its and _lasts(key.expires_at) else None

    def by_session(self, secret: str) -> KeyInUse | PersonInUse | None:
        """The key that a browser's session stands for, or the person who signed in there."""
        digest = digest_of(secret)
        person = self.people.get(digest)
        if person is not None and _lasts(person.expires_at):
            return person
        found = self.sessions.get(digest)
        key = None if found is None or not _lasts(found.expires_at) else self.keys.get(found.key_id)
        return key if key is not None and _lasts(key.expires_at) else None


@dataclass
class Keyring:
    """Follows the record from a thread of its own, and writes down when keys were used."""

    sessions: sessionmaker[Session]
    issuer: str | None = None
    """The provider that people sign in with."""
    known: AccessSnapshot | None = None
    _uses: dict[int, datetime] = field(default_factory=dict)
    _written_at: float = field(default_factory=time.monotonic)
    _over: threading.Event = field(default_factory=threading.Event)
    _reading: threading.Lock = field(default_factory=threading.Lock)
    """Held while the record is read: what was read before may not stand after what was read since."""
    _strangers: set[bytes] = field(default_factory=set)
    """Digests of secrets that were on record nowhere when they were shown: none of them will ever be."""
    _thread: threading.Thread | None = None
    _is_away: bool = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._follow, name="keys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is not written, and end."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            if not self._thread.is_alive():
                self._try(self._write_uses)

    def refresh(self) -> None:
        """Read the record now.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        with self._reading, self.sessions.begin() as session:
            began = time.monotonic()
            people = () if self.issuer is None else sign_ins_on_record(session, self.issuer)
            self.known = AccessSnapshot.of(keys_on_record(session), people, began)

    def now_known(self) -> AccessSnapshot | None:
        """What is known, unless that was read too long ago to go by."""
        known = self.known
        return known if known is not None and time.monotonic() - known.read_at < OLDEST_SECONDS else None

    def learned(self) -> AccessSnapshot | None:
        """What is known; the record is asked where nothing is. None where the database does not answer."""
        if self.now_known() is None:
            self._try(self.refresh)
        return self.now_known()

    def looked_again(self, asked_at: float) -> AccessSnapshot | None:
        """What was on record when it was asked or later: another process may have begun a session a moment before.

        Who comes while others wait is answered by their reading, where that began after it asked.

        Args:
            asked_at: of ``time.monotonic``.
        """
        known = self.known
        if not self._is_away and (known is None or known.read_at <= asked_at):
            if known is not None:
                self._over.wait(known.read_at + MOMENT_SECONDS - time.monotonic())
            self._try(self.refresh)
        return self.now_known()

    def is_new(self, secrets: Iterable[str]) -> bool:
        """Whether one of these has not been looked for in vain: a browser is told of a session once it is on record."""
        return any(digest_of(secret) not in self._strangers for secret in secrets)

    def note_strangers(self, secrets: Iterable[str]) -> None:
        """They were looked for in a record that was read after they were shown, and not found."""
        if len(self._strangers) >= MOST_STRANGERS:
            self._strangers.clear()
        self._strangers.update(map(digest_of, secrets))

    def note_use(self, key: KeyInUse) -> None:
        """It was used now; written before long."""
        self._uses[key.id] = datetime.now(UTC)

    def _follow(self) -> None:
        while True:
            self._try(self.refresh)
            if time.monotonic() - self._written_at >= WRITE_SECONDS:
                self._try(self._write_uses)
            if self._over.wait(LOOK_SECONDS):
                return

    def _write_uses(self) -> None:
        self._written_at = time.monotonic()
        uses, self._uses = self._uses, {}
        if uses:
            with self.sessions.begin() as session:
                note_uses(session, uses)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            # A thread that ended here would let every later revocation go unseen.
            if not self._is_away:
                is_ours = not isinstance(error, SQLAlchemyError)
                level = logging.ERROR if is_ours else logging.WARNING
                logger.log(level, "the keys could not be read or noted: %s", _line(error), exc_info=is_ours)
            self._is_away = True
            return
        self._is_away = False


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _lasts(until: datetime | None) -> bool:
    return until is None or datetime.now(UTC) < until
