"""A tag as the service keeps it, so that the same word always names it."""

import unicodedata


def as_kept(tag: str) -> str:
    """In small letters, with dashes for gaps."""
    return "-".join(unicodedata.normalize("NFKC", tag).casefold().split())
