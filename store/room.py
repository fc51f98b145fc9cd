"""A disk that is full, in the words of the system, of the artifact store's library or of the database."""

import errno

_NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_POSTGRES = "53100"
"""SQLSTATE disk_full."""
_OF_HTTP = "507 Insufficient Storage"
"""What S3 servers answer that have disks of their own."""


def says_disk_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or a share of it, is full."""
    if isinstance(error, OSError):
        return error.errno in _NUMBERS
    if getattr(getattr(error, "orig", None), "sqlstate", None) == _OF_POSTGRES:
        return True
    return _OF_HTTP in str(error) or any(f"(os error {number})" in str(error) for number in _NUMBERS)
