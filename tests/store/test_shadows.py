from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.registry import register
from store.db.shadows import (
    MOST_EXAMPLES,
    MOST_PAIRS,
    Comparisons,
    Example,
    Pair,
    add_comparisons,
    comparisons_in,
    comparisons_of,
)
from tests.store.test_registry import succeeded_run

Sessions = sessionmaker[Session]


@pytest.fixture
def pair(sessions: Sessions) -> tuple[int, int]:
    """A shadow and the version that it is compared with."""
    with sessions.begin() as session:
        one, two = (register(session, succeeded_run(session).id).version.id for _ in range(2))
    return two, one


def found(*examples: Example, failed: int = 0, dropped: int = 0) -> Comparisons:
    made = Comparisons(failed=failed, dropped=dropped)
    for one in examples:
        made.note(one)
    return made


def test_what_several_processes_found_adds_up(sessions: Sessions, pair: tuple[int, int]) -> None:
    one = found(Example("a", "pug", "pug", 0.1), Example("b", "pug", "Birman", 0.8), dropped=2)
    two = found(Example("c", "pug", "Birman", 0.6), failed=1)

    def add(part: Comparisons) -> None:
        with sessions.begin() as session:
            add_comparisons(session, *pair, part)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(add, part) for part in (one, two) * 5]:
            done.result()
    with sessions.begin() as session:
        (row,) = comparisons_of(session, pair[0])
        assert row.against == pair[1]
        assert (row.compared, row.agreed, row.failed, row.dropped) == (15, 5, 5, 10)
        assert row.difference_sum == pytest.approx(7.5)
        assert row.difference_max == 0.8
        summed = comparisons_in(row)
        (pair_of_breeds,) = summed.pairs.items()
        assert pair_of_breeds == (("pug", "Birman"), Pair(10, pair_of_breeds[1].difference_sum))
        assert pair_of_breeds[1].difference_sum == pytest.approx(7.0)
        # A photo that was sent again is one example.
        assert [example.sha256 for example in summed.examples] == ["b", "c", "a"]
        assert comparisons_of(session, pair[1]) == []


def test_a_row_does_not_grow_without_end(sessions: Sessions, pair: tuple[int, int]) -> None:
    many = [Example(f"{n}", "pug", f"breed {n}", n / 1000) for n in range(400)]
    often = [Example(f"often {n}", "pug", "Birman", 0.0001) for n in range(3)]
    with sessions.begin() as session:
        for part in (many[:200], many[200:], often):
            add_comparisons(session, *pair, found(*part))
        (row,) = comparisons_of(session, pair[0])
        assert (len(row.pairs), len(row.examples)) == (MOST_PAIRS, MOST_EXAMPLES)
        assert row.pairs[0]["shadow"] == "Birman"
        assert row.examples[0]["difference"] == 0.399
        assert row.compared == 403
