"""Labels that people would take for one: they differ only in case, spaces, hyphens or underscores."""

import unicodedata
from collections import Counter
from collections.abc import Iterable

from ml.data.heartbeat import Heartbeat
from ml.data.in_order import in_order

_PARTS = {"_", "-"}


def similar_groups(labels: Iterable[str], heart: Heartbeat | None = None) -> list[tuple[str, ...]]:
    """The labels that are not alone, each group sorted, the groups by their first; ``heart`` beats for each label."""
    first, groups = dict[str, str](), dict[str, list[str]]()
    for label in (heart or Heartbeat(None)).over(in_order(labels)):
        one = first.setdefault(_bare(label), label)
        if one is not label:
            groups.setdefault(one, [one]).append(label)
    return [tuple(groups[one]) for one in in_order(groups)]


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
