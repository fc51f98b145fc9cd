from fractions import Fraction
from math import comb

import pytest

from ml.reading.mcnemar import Outcomes, exact_p


def outcomes(only_first: int, only_second: int) -> Outcomes:
    return Outcomes(both_right=50, only_first=only_first, only_second=only_second, both_wrong=7)


# The two-sided sign test as its tables have it.
@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (0, 0, 1),
        (0, 5, 0.0625),
        (6, 0, 0.03125),
        (1, 5, 0.21875),
        (1, 9, 0.021484375),
        (5, 5, 1),
        (4, 6, 0.75390625),
        (7, 18, 0.043285),
        (8, 17, 0.107752),
    ],
)
def test_it_gives_the_values_of_the_tables(b: int, c: int, p: float) -> None:
    assert exact_p(b, c) == pytest.approx(p, abs=1e-6)
    assert exact_p(c, b) == exact_p(b, c)


@pytest.mark.parametrize(("b", "c"), [(86, 150), (500, 560), (4900, 5100), (0, 3000)])
def test_for_many_photos_it_is_what_whole_numbers_give(b: int, c: int) -> None:
    tail = sum(comb(b + c, i) for i in range(min(b, c) + 1))
    assert exact_p(b, c) == pytest.approx(min(1.0, float(Fraction(2 * tail, 2 ** (b + c)))), rel=1e-9)


def test_the_word_is_of_whom_it_is_better_and_only_beyond_chance() -> None:
    assert [outcomes(b, c).verdict for b, c in ((18, 7), (7, 18), (17, 8), (0, 0))] == [
        "first",
        "second",
        "chance",
        "chance",
    ]
    assert outcomes(7, 18).n == 82


def test_it_is_said_in_words_with_its_numbers() -> None:
    assert outcomes(7, 18).sentence("run 1", "run 3") == (
        "Run 3 is better than run 1 beyond chance: of 25 photos that only one of them got right, it got 18 (p = 0.043)."
    )
    assert outcomes(90, 10).sentence("run 1", "run 3").endswith("it got 90 (p < 0.0001).")
    assert outcomes(1, 0).sentence("run 1", "run 3") == (
        "Neither is better beyond chance: of 1 photo that only one of them got right, run 1 got 1 and run 3 got 0; "
        "chance alone does as much (p = 1)."
    )
    assert outcomes(0, 0).sentence("run 1", "run 3") == (
        "Nothing tells run 1 and run 3 apart: they are right and wrong about the same photos."
    )
