"""People whom the identity provider vouched for: their sessions, begun, read all at once, and ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from store.access import Scope, digest_of, new_secret
from store.db.access_tables import SignIn
from store.db.audit import note

MOST_OF_PERSON = 10
"""Sessions of one person; one more ends the oldest."""
MOST_SIGN_INS = 5000
"""All of them are read every second; one more ends the oldest of all."""
TARGET = "/session"


@dataclass(frozen=True)
class PersonInUse:
    """What checking a request needs of a person's session."""

    digest: bytes
    subject: str
    name: str
    scope: Scope
    expires_at: datetime

    @property
    def counted_as(self) -> str:
        """Under which their requests are counted, whichever of their browsers sends them."""
        return sha256(self.subject.encode()).hexdigest()[:32]


def begin_sign_in(
    session: Session, *, issuer: str, subject: str, name: str, scope: Scope, life: timedelta
) -> tuple[str, datetime]:
    """A session of somebody whom the issuer vouched for, as long as ``life``: its secret and its end."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("sign_ins"))))
    now = session.execute(select(func.now())).scalar_one()
    own = (SignIn.issuer == issuer) & (SignIn.subject == subject)
    newest = select(SignIn.digest).order_by(SignIn.created_at.desc(), SignIn.digest)
    too_many = own & SignIn.digest.not_in(newest.where(own).limit(MOST_OF_PERSON - 1))
    beyond = SignIn.digest.not_in(newest.limit(MOST_SIGN_INS - 1))
    session.execute(delete(SignIn).where(or_(SignIn.expires_at <= now, too_many, beyond)))
    secret, ends = new_secret(), now + life
    session.add(
        SignIn(digest=digest_of(secret), issuer=issuer, subject=subject, name=name, scope=scope, expires_at=ends)
    )
    note(target=TARGET, after={"subject": subject, "scope": scope, "expires_at": ends.isoformat()})
    return secret, ends


def end_sign_in(session: Session, digest: bytes) -> None:
    """End a person's session; one that is not there has ended."""
    gone = delete(SignIn).where(SignIn.digest == digest).returning(SignIn.subject, SignIn.scope)
    for subject, scope in session.execute(gone):
        note(target=TARGET, before={"subject": subject, "scope": scope})


def sign_ins_on_record(session: Session, issuer: str) -> Sequence[PersonInUse]:
    """The sessions that are good now, of people whom this issuer vouched for."""
    columns = select(SignIn.digest, SignIn.subject, SignIn.name, SignIn.scope, SignIn.expires_at)
    good = columns.where(SignIn.issuer == issuer, SignIn.expires_at > func.now())
    return [
        PersonInUse(digest, subject, name, Scope(scope), expires_at)
        for digest, subject, name, scope, expires_at in session.execute(good)
    ]
