"""The queue of pictures to review, page by page."""

from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.orm import Session

from api.datasets.review_rankings import Ranking
from api.schemas.predictions import Guess
from api.schemas.review import ReviewItem, Source, guesses_of
from ml.data.manifest import Manifest
from store.db.kept import Filters, list_predictions
from store.db.kept_photos import kept_among
from store.db.kept_tables import KeptPrediction
from store.db.label_reviews import PastDecisions, reviewed
from store.db.paging import Page, decode_sorted_cursor, encode_cursor
from store.db.reviewable import RunPredictions

RANKED: frozenset[Source] = frozenset({"doubtful", "top_losses"})
_FILTERS: dict[Source, Filters] = {
    "unsure": Filters(unsure=True, told=False, with_photo=True),
    "unknown": Filters(unknown=True, told=False, with_photo=True),
    "feedback": Filters(told=True, with_photo=True),
}


@dataclass(frozen=True)
class RankedPage:
    """Some items of a ranking, and how many in all nobody has decided about."""

    page: Page[ReviewItem]
    waiting: int


def run_of_cursor(cursor: str | None, source: Source) -> int | None:
    """The run whose ranking a page was of; the next one is of the same, whatever was trained meanwhile.

    Raises:
        InvalidRequest: the cursor is not one of this list.
    """
    return None if cursor is None else decode_sorted_cursor(cursor, source, float)[1]


def ranked_page(
    session: Session,
    ranking: Ranking,
    predicted: RunPredictions,
    dataset: str,
    source: Literal["doubtful", "top_losses"],
    cursor: str | None,
    limit: int,
) -> RankedPage:
    """Items of a ranking that nobody has decided about.

    Raises:
        InvalidRequest: the cursor is not one of this list.
    """
    rows = ranking.doubtful if source == "doubtful" else ranking.losses
    items = ranking.scores.items
    decided = reviewed(session, dataset, {items[row].sha256 for row in rows})
    after = _rank_of(cursor, source)
    open_places = [place for place, row in enumerate(rows) if not decided.holds(items[row].sha256, items[row].label)]
    found = [place for place in open_places if place > after][: limit + 1]
    made = [_ranked_item(ranking, rows[place], predicted, dataset, source) for place in found[:limit]]
    more = encode_cursor((source, found[limit - 1], predicted.run.id)) if len(found) > limit else None
    return RankedPage(Page(made, more), len(open_places))


def _rank_of(cursor: str | None, source: Source) -> float:
    """Where the page before ended; before the first one where there was none."""
    rank = None if cursor is None else decode_sorted_cursor(cursor, source, float)[0]
    return rank if isinstance(rank, int | float) else -1


def sent_page(
    session: Session, manifest: Manifest, dataset: str, source: Source, cursor: str | None, limit: int
) -> Page[ReviewItem]:
    """Kept predictions of versions that were trained on the dataset, newest first, whose photo it does not have.

    What the dataset has, and what people dropped, is left out: a page may have fewer items than asked for.

    Raises:
        InvalidRequest: the cursor is not one of this list.
    """
    filters = replace(_FILTERS[source], trained_on=dataset)
    page = list_predictions(session, filters, cursor=cursor, limit=limit)
    hashes = {row.sha256 for row in page.items}
    known = {item.sha256 for item in manifest.items}
    decided, photos = reviewed(session, dataset, hashes), kept_among(session, hashes)
    shown = [row for row in page.items if _is_open(row, known, decided, photos)]
    first = {row.sha256: row for row in reversed(shown)}
    return Page([_sent_item(row, source) for row in first.values()][::-1], page.next_cursor)


def _is_open(row: KeptPrediction, known: set[str], decided: PastDecisions, photos: set[str]) -> bool:
    return row.sha256 in photos and row.sha256 not in known and row.sha256 not in decided.dropped


def _ranked_item(ranking: Ranking, row: int, predicted: RunPredictions, dataset: str, source: Source) -> ReviewItem:
    item = ranking.scores.items[row]
    guesses = guesses_of(ranking.guesses(row))
    other, probability = ranking.other(row)
    about = "" if predicted.is_validation else f"?dataset={dataset}"
    is_loss = source == "top_losses"
    score = item.loss if is_loss else float(ranking.doubts.doubt[row])
    return ReviewItem(
        item=item.position,
        image=f"/runs/{predicted.run.id}/items/{item.predicted_as}/image{about}",
        path=item.path,
        label=item.label,
        label_probability=float(ranking.scores.scores[row, ranking.scores.labels[row]]),
        suggested=guesses[0] if is_loss else Guess(breed=other, probability=probability),
        guesses=guesses,
        reason=source,
        score=None if score == float("inf") else score,
        trained_on=item.trained_on,
    )


def _sent_item(row: KeptPrediction, source: Source) -> ReviewItem:
    guesses = [Guess.model_validate(one) for one in row.top]
    label = row.feedback_breed
    of_label = [one.probability for one in guesses if one.breed == label]
    first = Guess(breed=row.breed, probability=row.probability)
    return ReviewItem(
        item=row.id,
        image=f"/predictions/{row.id}/photo",
        path=None,
        label=label,
        label_probability=of_label[0] if of_label else None,
        suggested=None if first.breed == label else first,
        guesses=guesses,
        reason=source,
        score=1 - row.probability,
        trained_on=False,
    )
