"""What people decided about a revision's pictures, checked against what it holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from api.schemas.review import Change, Corrections
from ml.data.manifest import Manifest
from store.db.kept import predictions_named
from store.db.kept_photos import kept_among
from store.db.kept_tables import KeptPrediction
from store.db.label_reviews import Action, Decision
from store.errors import InvalidRequest

_AGAIN = "Take `item` as the queue of this revision has it."


@dataclass(frozen=True)
class NamedPredictions:
    """The kept predictions that changes are about, by id, and sha256 of the photos that are there."""

    rows: Mapping[UUID, KeptPrediction]
    photos: frozenset[str]

    @classmethod
    def of(cls, session: Session, asked: Corrections) -> "NamedPredictions":
        rows = predictions_named(session, [one.item for one in asked.changes if isinstance(one.item, UUID)])
        photos = kept_among(session, {row.sha256 for row in rows})
        return cls({row.id: row for row in rows}, frozenset(photos))


def decisions_of(asked: Corrections, manifest: Manifest, sent: NamedPredictions) -> list[Decision]:
    """A decision for each change, in their order.

    Raises:
        InvalidRequest: an item or a breed is not known, an item is named twice, or too little would be left.
    """
    _check_each_once(asked.changes)
    vocab = None if asked.new_labels else frozenset(manifest.vocab)
    known = {item.sha256 for item in manifest.items}
    found = []
    for place, change in enumerate(asked.changes):
        if change.label is not None and vocab is not None and change.label not in vocab:
            raise _unknown_breed(place, change.label)
        if isinstance(change.item, UUID):
            decision = _of_sent(place, change, change.item, sent, known)
            if decision.label is not None and vocab is not None and decision.label not in vocab:
                raise _unknown_breed(place, decision.label)
            found.append(decision)
        else:
            found.append(_of_item(place, change, change.item, manifest))
    found = _once(found)
    _check_what_is_left(manifest, found)
    return found


def _once(decisions: Sequence[Decision]) -> list[Decision]:
    """A photo that was sent several times is one photo: what was decided of it twice alike counts once.

    Raises:
        InvalidRequest: it was decided otherwise each time.
    """
    once: dict[str, Decision] = {}
    for place, one in enumerate(decisions):
        before = once.setdefault(one.path, one)
        if (before.action, before.label) != (one.action, one.label):
            detail = "the same photo was sent twice, and two different things were decided about it"
            raise InvalidRequest(detail, "Decide the same for both.", field=f"body.changes.{place}.item")
    return list(once.values())


def changes_items(decisions: Sequence[Decision], manifest: Manifest) -> bool:
    """Whether they make another revision; what is said to be right changes nothing."""
    paths = {item.path for item in manifest.items}
    return any(one.action in {"relabel", "add"} or (one.action == "drop" and one.path in paths) for one in decisions)


def _of_item(place: int, change: Change, position: int, manifest: Manifest) -> Decision:
    if position >= len(manifest.items):
        detail = f"the dataset has {len(manifest.items)} items, and no such one"
        raise InvalidRequest(detail, _AGAIN, field=f"body.changes.{place}.item", value=position)
    item = manifest.items[position]
    label = {"keep": item.label, "drop": None}.get(change.action, change.label)
    # Another label that is the same one says that it is right.
    action: Action = "keep" if label == item.label else change.action
    return Decision(action=action, sha256=item.sha256, path=item.path, label_before=item.label, label=label)


def _of_sent(place: int, change: Change, named: UUID, sent: NamedPredictions, known: set[str]) -> Decision:
    field = f"body.changes.{place}.item"
    row = sent.rows.get(named)
    if row is None:
        raise InvalidRequest("no prediction of this id is kept", _AGAIN, field=field, value=str(named))
    if row.sha256 in known:
        detail = "the dataset has this photo already"
        raise InvalidRequest(detail, "Name the item by its position.", field=field, value=str(named))
    said = row.breed if row.feedback_at is None else row.feedback_breed
    path = f"feedback/{row.sha256}"
    if change.action == "drop":
        return Decision(action="drop", sha256=row.sha256, path=path, label_before=said, label=None)
    label = change.label if change.action == "relabel" else said
    if label is None:
        detail = "people said that it is none of the breeds: there is no label to keep"
        raise InvalidRequest(detail, "Relabel it, or drop it.", field=field, value=str(named))
    if not row.with_photo or row.sha256 not in sent.photos:
        raise InvalidRequest("its photo was not kept, or not for so long", "Drop it.", field=field, value=str(named))
    return Decision(action="add", sha256=row.sha256, path=path, label_before=said, label=label)


def _check_each_once(changes: Sequence[Change]) -> None:
    seen: set[int | UUID] = set()
    for place, change in enumerate(changes):
        if change.item in seen:
            detail = "the item is named twice"
            field = f"body.changes.{place}.item"
            raise InvalidRequest(detail, "Send one change for each item.", field=field, value=str(change.item))
        seen.add(change.item)


def _check_what_is_left(manifest: Manifest, decisions: Sequence[Decision]) -> None:
    """A dataset has at least two items of two breeds."""
    labels = {item.path: item.label for item in manifest.items}
    for one in decisions:
        if one.label is not None:
            labels[one.path] = one.label
        else:
            labels.pop(one.path, None)
    left = Counter(labels.values())
    if len(left) < 2:  # noqa: PLR2004 - two breeds
        detail = f"{sum(left.values())} items of {len(left)} breeds would be left"
        raise InvalidRequest(detail, "Drop or relabel fewer: a dataset has at least two breeds.", field="body.changes")


def _unknown_breed(place: int, label: str) -> InvalidRequest:
    hint = "Name one of its breeds, or send new_labels: true to take new ones."
    return InvalidRequest("the dataset has no such breed", hint, field=f"body.changes.{place}.label", value=label[:80])
