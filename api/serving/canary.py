"""Which requests of an alias its canary answers.

The photo decides: the same photo gets the same version's answer whenever it is sent and whichever replica answers. So a
second try is no second draw, and a share that is raised keeps the photos that were in it. A request of several photos
goes by its first.
"""

from hashlib import sha256

LOOKED_AT = 64 * 1024
"""Bytes of a photo that decide: more would cost time, and photos that are the same so far are hardly two."""
_ALL = 2**64


def is_for_canary(photo: bytes, version: int, share: float) -> bool:
    """Whether a canary's share of the photos, 0 to 1, holds this one.

    Args:
        photo: its first ``LOOKED_AT`` bytes, or all.
        version: the canary's: another canary gets other photos.
        share: of all photos.
    """
    digest = sha256(b"%d " % version + photo).digest()
    return int.from_bytes(digest[:8], "big") < share * _ALL
