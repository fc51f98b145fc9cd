"""Labels that people would take for one: they differ only in case, spaces, hyphens or underscores."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

from ml.data.heartbeat import Heartbeat

_PARTS = {"_", "-"}


def similar_groups(labels: Iterable[str], heart: Heartbeat | None = None) -> list[tuple[str, ...]]:
    """The labels that are not alone, each group sorted, the groups by their first; ``heart`` beats for each label."""
    groups = defaultdict[str, list[str]](list)
    for label in (heart or Heartbeat(None)).over(sorted(labels)):
        groups[_bare(label)].append(label)
    return sorted(tuple(group) for group in groups.values() if len(group) > 1)


def one_spelling(group: Iterable[str], counts: Counter[str]) -> str:
    """The most frequent label of a group, of equals the first."""
    return min(group, key=lambda label: (-counts[label], label))


def _bare(label: str) -> str:
    # Compatibility forms make a wide letter, a no-break space or a ligature what it looks like.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    # Each character is looked at once, however long the label is: an archive may have 200,000 of them.
    gaps = {ord(char): None for char in set(folded) if char.isspace() or char in _PARTS or _is_invisible(char)}
    return folded.translate(gaps) or label


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf"
