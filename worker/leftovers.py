"""Scratch folders whose attempt is over: a worker that was killed could not remove its own."""

import logging
import re
import shutil
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import state_in_hand

log = logging.getLogger(__name__)

_NAME = re.compile(r"job-(\d{1,9})-(\d{1,9})")


def remove_leftovers(scratch: Path, sessions: sessionmaker[Session]) -> None:
    """Remove the folders ``job-JOB-ATTEMPT`` in ``scratch`` of attempts that no worker holds, on any host."""
    for folder in sorted(scratch.glob("job-*-*")):
        named = _NAME.fullmatch(folder.name)
        if named is None:
            continue
        with sessions.begin() as session:
            held = state_in_hand(session, int(named[1]), int(named[2])) is not None
        if not held:
            log.info("removing %s, which a lost attempt left", folder.name)
            shutil.rmtree(folder, ignore_errors=True)
