"""While a backup is made no file goes from the artifact store: the rows that were copied may name it.

A backup takes the hold before it looks at the rows. Whoever deletes a file takes it off the record first and asks
:func:`may_delete` then: either the backup's rows no longer name the file, or the answer is no.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

HOLD = 7_305_110_461_204
"""The advisory lock: a backup's alone, or shared by those who delete; any fixed number of ours."""


def may_delete(session: Session) -> bool:
    """Whether no backup goes on; where it is so, none begins before the caller's transaction has ended.

    What is left for this reason is deleted later by the repair process.
    """
    return session.scalar(select(func.pg_try_advisory_xact_lock_shared(HOLD))) is True
