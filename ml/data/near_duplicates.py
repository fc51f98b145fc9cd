"""Images that occur twice: equal files, and near-duplicates, the same shot saved again. Imports no torch.

A duplicate on both sides of the split makes validation easier than the world is; duplicates with different labels
teach a contradiction.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Literal

import numpy as np
import numpy.typing as npt

from ml.data.manifest import EXAMPLES, Manifest
from ml.decode.perceptual_hash import BITS

NEAR_BITS = 14
"""Most differing bits, of 128, of near-duplicates. Looked at by eye on 3389 pet photos: all 16 pairs up to 14 bits show
one shot or its immediate neighbour, 2 more true ones differ in 16, the first strangers in 18 (docs/experiments.md)."""

PLAIN_BITS = 12
"""A hash with fewer bits set is of an image with hardly anything on it, and is like every other such. The
plainest of the pet photos has 25."""

MOST_PAIRS = 100_000
"""Where a dataset repeats itself without end, counting stops here and says so."""

_ROWS = 256

Kind = Literal["byte", "near"]


@dataclass(frozen=True)
class DuplicatePair:
    """Two items by position, ``first`` < ``second``; ``distance`` in bits of 128, 0 of equal files."""

    first: int
    second: int
    kind: Kind
    distance: int


@dataclass(frozen=True)
class NearDuplicates:
    """All pairs, equal files first, then by distance. ``near_known`` is false where hashes are missing."""

    pairs: tuple[DuplicatePair, ...]
    near_known: bool
    complete: bool


@dataclass(frozen=True)
class PairCount:
    """Some of the pairs: how many of each kind (``near`` None where unknown), and the first 20 of them."""

    count: int
    byte: int
    near: int | None
    examples: tuple[DuplicatePair, ...]


def find_near_duplicates(manifest: Manifest) -> NearDuplicates:
    """Compare every item with every other.

    Near-duplicates are told from the perceptual hashes alone. Found are images scaled, saved again, made grey or
    cropped by a hundredth of their side; a crop by 5 hundredths or a mirrored copy is mostly not. A manifest of which
    an item has no hash has no near-duplicates, and says so.
    """
    near_known = all(item.perceptual_hash is not None for item in manifest.items)
    found = list(islice(_equal_files(manifest), MOST_PAIRS + 1))
    if near_known:
        found += islice(_near(manifest), MOST_PAIRS + 1 - len(found))
    kept = sorted(found[:MOST_PAIRS], key=lambda pair: (pair.kind, pair.distance, pair.first, pair.second))
    return NearDuplicates(tuple(kept), near_known, complete=len(found) <= MOST_PAIRS)


def across_split(found: NearDuplicates, valid: Sequence[int]) -> tuple[PairCount, int]:
    """Pairs with one item in training and one in validation, and how many validation items are in such a pair."""
    inside = frozenset(valid)
    pairs = [pair for pair in found.pairs if (pair.first in inside) != (pair.second in inside)]
    hit = {pair.first if pair.first in inside else pair.second for pair in pairs}
    return count_pairs(pairs, found), len(hit)


def with_other_label(found: NearDuplicates, manifest: Manifest) -> PairCount:
    """Pairs of which the two items have different labels."""
    items = manifest.items
    return count_pairs([pair for pair in found.pairs if items[pair.first].label != items[pair.second].label], found)


def count_pairs(pairs: Sequence[DuplicatePair], found: NearDuplicates) -> PairCount:
    """Count some of the pairs of ``found`` by kind."""
    byte = sum(pair.kind == "byte" for pair in pairs)
    near = len(pairs) - byte if found.near_known else None
    return PairCount(len(pairs), byte, near, tuple(pairs[:EXAMPLES]))


def _equal_files(manifest: Manifest) -> Iterator[DuplicatePair]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(manifest.items):
        places[item.sha256].append(place)
    for group in places.values():
        for first, second in combinations(group, 2):
            yield DuplicatePair(first, second, "byte", 0)


def _near(manifest: Manifest) -> Iterator[DuplicatePair]:
    """Near pairs that are not equal files, a block of rows at a time: the whole table would take gigabytes."""
    words = _words(manifest)
    telling = np.flatnonzero(np.bitwise_count(words).sum(1, dtype=np.int64) >= PLAIN_BITS)
    words = words[telling]
    items = manifest.items
    for start in range(0, len(words), _ROWS):
        rows, others = words[start : start + _ROWS, None], words[None, start:]
        distance = np.bitwise_count(rows[..., 0] ^ others[..., 0]) + np.bitwise_count(rows[..., 1] ^ others[..., 1])
        for row, column in np.argwhere(np.triu(distance <= NEAR_BITS, k=1))[: MOST_PAIRS + 1].tolist():
            first, second = int(telling[start + row]), int(telling[start + column])
            if items[first].sha256 != items[second].sha256:
                yield DuplicatePair(first, second, "near", int(distance[row, column]))


def _words(manifest: Manifest) -> npt.NDArray[np.uint64]:
    """Every perceptual hash as two words: uint64 [n, 2]."""
    digits = "".join(item.perceptual_hash or "" for item in manifest.items)
    return np.frombuffer(bytes.fromhex(digits), dtype=np.uint64).reshape(-1, BITS // 64)
