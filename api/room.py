"""A full disk of the service: a state that somebody can end, not a defect."""

import errno

from store.errors import AppError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskFull(AppError):
    """The service's disk cannot hold what the request brings or needs."""

    status = 507
    code = "disk_full"
    title = "Disk full"


def is_no_room(error: BaseException) -> bool:
    """Whether an error says that a disk, or a share of it, is full."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def some_disk_full() -> DiskFull:
    """The error where nobody nearer knows which disk it is."""
    detail = "a disk of the service is full: that of PEDIGREE_CACHE, or that of its temporary files"
    return DiskFull(detail, "Make room there and send the request again.")
