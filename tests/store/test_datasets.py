from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from store.db.datasets import add_dataset, current_dataset, list_datasets
from store.db.models import Dataset
from tests.store.rows import make_dataset

Sessions = sessionmaker[Session]


def test_the_newest_revision_is_current_even_when_it_is_an_earlier_one_again(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = make_dataset(session, revision="a")
        assert make_dataset(session, revision="a").id == first.id
        make_dataset(session, revision="b")
        again = make_dataset(session, revision="a")
        assert again.id != first.id
        current = current_dataset(session, "pets")
        assert current is not None
        assert current.id == again.id
        assert current_dataset(session, "dogs") is None


def test_the_same_pictures_imported_anew_are_one_row_that_says_what_is_so_now(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = make_dataset(session).id
    rule, summary = {"kind": "folder"}, {"items": 4, "exclusions": {"truncated": {"count": 1, "examples": []}}}
    with sessions.begin() as session:
        again = add_dataset(
            session,
            name="pets",
            revision="r1",
            drawn=False,
            label_rule=rule,
            vocab=["Birman", "pug"],
            items=4,
            summary=summary,
        )
        assert again.id == first
    with sessions.begin() as session:
        current = current_dataset(session, "pets")
        assert current is not None
        assert (current.id, current.label_rule, current.summary) == (first, rule, summary)


def test_a_list_has_each_name_once(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for name, revision in (("pets", "a"), ("dogs", "c"), ("pets", "b")):
            make_dataset(session, name, revision)
        page = list_datasets(session, limit=1)
        assert [(row.name, row.revision) for row in page.items] == [("pets", "b")]
        rest = list_datasets(session, limit=1, cursor=page.next_cursor)
        assert [(row.name, row.revision) for row in rest.items] == [("dogs", "c")]
        assert rest.next_cursor is None


def test_two_imports_of_the_same_pictures_make_one_row(sessions: Sessions) -> None:
    def add(_: int) -> int:
        with sessions.begin() as session:
            return make_dataset(session).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(add, range(8)))) == 1


def test_revisions_are_counted_by_name_and_going_back_to_one_is_a_further_one(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for name, revision in (("pets", "a"), ("dogs", "a"), ("pets", "b"), ("pets", "b"), ("pets", "a")):
            make_dataset(session, name=name, revision=revision)
    with sessions.begin() as session:
        pets = session.scalars(select(Dataset).where(Dataset.name == "pets").order_by(Dataset.id)).all()
        assert [(row.revision, row.revision_number) for row in pets] == [("a", 1), ("b", 2), ("a", 3)]
        dogs = current_dataset(session, "dogs")
        assert dogs is not None
        assert dogs.revision_number == 1
