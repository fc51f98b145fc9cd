"""Which database this is: for names of things that lie outside of it and go by the ids of its rows."""

from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

_LENGTH = 12


def database_id(session: Session) -> str:
    """A short name that no other database has, for folders below a cache that several may share.

    It is of the cluster and of the address: a dump that was read in elsewhere has another cluster, a data folder that
    was copied another address.
    """
    cluster = session.scalar(text("SELECT system_identifier FROM pg_control_system()"))
    address = session.get_bind().engine.url.set(username=None, password=None)
    return sha256(f"{cluster} {address}".encode()).hexdigest()[:_LENGTH]
