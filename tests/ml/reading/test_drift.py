import numpy as np
import pytest

from ml.reading.drift import LEAST_SEEN, SCALES, compare


def drawn(shares: list[float], count: int, seed: int) -> list[int]:
    return [int(n) for n in np.random.default_rng(seed).multinomial(count, shares)]


EVEN = [1 / 37] * 37
SKEWED = [3 / 37] * 6 + [19 / 37 / 31] * 31


def test_too_few_are_not_judged() -> None:
    assert compare([LEAST_SEEN - 1, 0], [50, 50]).verdict == "too_few"
    assert compare([LEAST_SEEN, 0], [20, 20]).verdict == "too_few"
    assert compare([], []).verdict == "too_few"
    found = compare([LEAST_SEEN, 0], [500, 500])
    assert (found.seen, found.reference, found.verdict) == (LEAST_SEEN, 1000, "clear")


@pytest.mark.parametrize("count", [200, 2000, 20_000])
def test_chance_alone_is_rarely_an_alarm(count: int) -> None:
    verdicts = [compare(drawn(EVEN, count, seed), drawn(EVEN, 1478, 1000 + seed)).verdict for seed in range(100)]
    assert verdicts.count("alike") >= 97


def test_another_population_is_seen_once_there_is_enough() -> None:
    verdicts = [compare(drawn(SKEWED, 1000, seed), drawn(EVEN, 1478, seed + 50)).verdict for seed in range(20)]
    assert set(verdicts) == {"clear"}


def test_the_same_counts_give_the_same_figures() -> None:
    seen, reference = drawn(SKEWED, 500, 1), drawn(EVEN, 500, 2)
    assert compare(seen, reference) == compare(seen, reference)


def test_a_small_difference_is_none_however_sure_it_is() -> None:
    almost = [0.53, 0.47]
    found = compare(drawn(almost, 1_000_000, 1), drawn([0.5, 0.5], 1_000_000, 2))
    assert found.psi is not None
    assert found.by_chance is not None
    assert found.psi > found.by_chance
    assert found.verdict == "alike"


def test_a_scale_counts_what_lies_outside_at_its_ends_and_knows_its_mean() -> None:
    scale = SCALES["brightness"]
    assert [scale.step_of(value) for value in (-5.0, 0.0, 255.9, 900.0)] == [0, 0, 15, 15]
    counts = [0] * scale.steps
    for value in range(256):
        counts[scale.step_of(float(value))] += 1
    assert scale.mean(counts) == pytest.approx(128)
    assert scale.mean([0] * 16) is None
