"""Named datasets and their revisions."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.access import LOCAL
from store.db.base import Json
from store.db.models import Dataset, Run
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.errors import NotFound, one_of


def get_dataset(session: Session, name: str) -> Dataset:
    """The current revision of a dataset.

    Raises:
        NotFound: there is none of this name.
    """
    dataset = current_dataset(session, name)
    if dataset is None:
        raise NotFound(f"there is no dataset {name!r}", one_of("datasets"))
    return dataset


def current_dataset(session: Session, name: str) -> Dataset | None:
    """The newest revision of a name, or None."""
    return session.scalars(select(Dataset).where(Dataset.name == name).order_by(Dataset.id.desc()).limit(1)).first()


def dataset_of_revision(session: Session, name: str, revision: str) -> Dataset | None:
    """A revision of a name, or None."""
    found = select(Dataset).where(Dataset.name == name, Dataset.revision == revision)
    return session.scalars(found.order_by(Dataset.id.desc()).limit(1)).first()


def runs_of_datasets(session: Session, names: Iterable[str]) -> dict[str, int]:
    """How many runs were made with any revision of each name; those without are left out."""
    counted = select(Dataset.name, func.count()).join(Run, Run.dataset_id == Dataset.id).group_by(Dataset.name)
    rows = session.execute(counted.where(Dataset.name.in_(list(names))))
    return {row[0]: row[1] for row in rows}


def list_datasets(session: Session, *, cursor: str | None = None, limit: int = 50) -> Page[Dataset]:
    """The current revision of each name, the latest import first.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    newest = select(func.max(Dataset.id)).group_by(Dataset.name)
    statement = select(Dataset).where(Dataset.id.in_(newest)).order_by(Dataset.id.desc()).limit(check_limit(limit) + 1)
    if cursor is not None:
        statement = statement.where(Dataset.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda dataset: (dataset.id,))


def lock_dataset(session: Session, name: str) -> None:
    """Keep others from giving the name another revision until the caller's transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"dataset:{name}"))))


def add_dataset(
    session: Session,
    *,
    name: str,
    revision: str,
    drawn: bool,
    label_rule: Json,
    vocab: list[str],
    items: int,
    summary: Json,
    made_from: Json | None = None,
    owner: str = LOCAL,
    stored_bytes: int | None = None,
) -> Dataset:
    """Make this revision the name's current one; where it already is, its row says what this import found.

    The revision is of the items alone: what was left out, and the rule that gave their labels, may be others now.
    The name is locked until the caller's transaction ends, so two imports of the same pictures make one row.
    """
    lock_dataset(session, name)
    current = current_dataset(session, name)
    if current is not None and current.revision == revision:
        current.label_rule, current.summary = label_rule, summary
        current.bytes = stored_bytes if current.bytes is None else current.bytes
        session.flush()
        return current
    dataset = Dataset(
        name=name,
        revision=revision,
        drawn=drawn,
        label_rule=label_rule,
        vocab=vocab,
        items=items,
        summary=summary,
        made_from=made_from,
        owner=owner,
        bytes=stored_bytes,
    )
    session.add(dataset)
    session.flush()
    return dataset
