"""What shadows answered beside the versions that were asked, added up over all API processes.

There is a row for each pair of versions, however many photos were compared: of the pairs of breeds the most frequent
stay, of the photos those that differ most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.base import Json
from store.db.models import ShadowComparison

MOST_PAIRS = 200
MOST_EXAMPLES = 20


@dataclass(frozen=True)
class Pair:
    """How often two breeds were answered in each other's place, and the sum of the photos' differences."""

    photos: int = 0
    difference_sum: float = 0.0


@dataclass(frozen=True)
class Example:
    """A photo, by the sha256 of its bytes (hex), that the two versions answered differently."""

    sha256: str
    served: str
    shadow: str
    difference: float


@dataclass
class Comparisons:
    """What one process found since it last added to the record."""

    compared: int = 0
    agreed: int = 0
    failed: int = 0
    dropped: int = 0
    difference_sum: float = 0.0
    difference_max: float = 0.0
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    """By the breed that was served and the shadow's."""
    examples: list[Example] = field(default_factory=list)

    def note(self, example: Example) -> None:
        self.compared += 1
        self.difference_sum += example.difference
        self.difference_max = max(self.difference_max, example.difference)
        if example.served == example.shadow:
            self.agreed += 1
        else:
            pair = self.pairs.get((example.served, example.shadow), Pair())
            summed = Pair(pair.photos + 1, pair.difference_sum + example.difference)
            self.pairs[example.served, example.shadow] = summed
        self.examples = most_different([*self.examples, example])

    def add(self, other: "Comparisons") -> None:
        self.compared += other.compared
        self.agreed += other.agreed
        self.failed += other.failed
        self.dropped += other.dropped
        self.difference_sum += other.difference_sum
        self.difference_max = max(self.difference_max, other.difference_max)
        for breeds, more in other.pairs.items():
            known = self.pairs.get(breeds, Pair())
            self.pairs[breeds] = Pair(known.photos + more.photos, known.difference_sum + more.difference_sum)
        self.examples = most_different([*self.examples, *other.examples])


def add_comparisons(session: Session, version: int, against: int, found: Comparisons) -> None:
    """Add what was found to the record of a shadow and the version whose answers went out."""
    row = _locked(session, version, against)
    summed = comparisons_in(row)
    summed.add(found)
    row.compared, row.agreed = summed.compared, summed.agreed
    row.failed, row.dropped = summed.failed, summed.dropped
    row.difference_sum, row.difference_max = summed.difference_sum, summed.difference_max
    row.pairs = _pairs_json(summed.pairs)
    row.examples = [_example_json(one) for one in summed.examples]
    row.updated_at = func.now()


def comparisons_of(session: Session, version: int) -> Sequence[ShadowComparison]:
    """What a version answered as a shadow, the latest first."""
    statement = select(ShadowComparison).where(ShadowComparison.version == version)
    return session.scalars(statement.order_by(ShadowComparison.updated_at.desc())).all()


def comparisons_in(row: ShadowComparison) -> Comparisons:
    """What a record holds: the most frequent pairs and the most different photos first."""
    return Comparisons(
        compared=row.compared,
        agreed=row.agreed,
        failed=row.failed,
        dropped=row.dropped,
        difference_sum=row.difference_sum,
        difference_max=row.difference_max,
        pairs={(one["served"], one["shadow"]): Pair(one["photos"], one["difference_sum"]) for one in row.pairs},
        examples=[Example(one["sha256"], one["served"], one["shadow"], one["difference"]) for one in row.examples],
    )


def _locked(session: Session, version: int, against: int) -> ShadowComparison:
    zeros = {"compared": 0, "agreed": 0, "failed": 0, "dropped": 0, "difference_sum": 0.0, "difference_max": 0.0}
    empty = insert(ShadowComparison).values(version=version, against=against, **zeros, pairs=[], examples=[])
    session.execute(empty.on_conflict_do_nothing())
    key = (version, against)
    return session.get_one(ShadowComparison, key, populate_existing=True, with_for_update=True)


def _example_json(one: Example) -> Json:
    return {"sha256": one.sha256, "served": one.served, "shadow": one.shadow, "difference": one.difference}


def _pairs_json(pairs: Mapping[tuple[str, str], Pair]) -> list[Json]:
    ordered = sorted(pairs.items(), key=lambda one: (-one[1].photos, -one[1].difference_sum))
    return [
        {"served": served, "shadow": shadow, "photos": pair.photos, "difference_sum": pair.difference_sum}
        for (served, shadow), pair in ordered[:MOST_PAIRS]
    ]


def most_different(examples: Sequence[Example]) -> list[Example]:
    """Those that differ most, a photo that was sent again once."""
    by_photo = {one.sha256: one for one in sorted(examples, key=lambda one: one.difference)}
    return sorted(by_photo.values(), key=lambda one: -one.difference)[:MOST_EXAMPLES]
