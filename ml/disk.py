"""A disk that is full, in whatever words that is said."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ml.errors import DiskFull

GO_ON = "Free space, or write to a larger disk; then go on from the last checkpoint."
_NUMBERS = (errno.ENOSPC, errno.EDQUOT)


def says_disk_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full: by its number, or in the words of a library written in Rust."""
    if isinstance(error, OSError):
        return error.errno in _NUMBERS
    return any(f"(os error {number})" in str(error) for number in _NUMBERS)


@contextmanager
def full_disk_told(what: str, hint: str = GO_ON) -> Iterator[None]:
    """Turn whatever says that the disk is full into :class:`DiskFull`.

    Args:
        what: is written in the block, for the sentence.
        hint: the one thing to do.
    """
    try:
        yield
    except Exception as error:
        if not says_disk_full(error):
            raise
        raise DiskFull(f"the disk is full: {what} could not be written", hint=hint) from error
