"""What the sweeps of a search say together."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from ml.learn.schedule import exponential
from ml.learn.smoothing import SmoothLoss
from ml.reading.agreement import RateSearch
from ml.reading.suggestions import FUNCTIONS, Suggestions, suggest
from ml.reading.sweep_record import Sweep


def made(valleys: Sequence[float | None]) -> RateSearch:
    """A search whose sweeps found these valleys, or nothing at all."""
    sweeps = []
    for valley in valleys:
        rates: dict[str, float | None] = dict.fromkeys(FUNCTIONS, valley)
        reasons = {} if valley else dict.fromkeys(FUNCTIONS, "the loss is flat")
        sweeps.append(Sweep((0.1, 0.2), (2.0, 1.0), (2.0, 1.5), 2, Suggestions(rates, reasons)))
    return RateSearch(tuple(sweeps), freeze=True, batch_size=4)


@pytest.mark.parametrize(
    ("valleys", "word", "rate", "says"),
    [
        ([1e-3, 2e-3, 1.5e-3], "agree", 1.5e-3, "between 0.001 and 0.002 in 3 of 3 sweeps, 0.30 decades apart"),
        ([1e-3, 4e-3, 2e-3], "weak", 2e-3, "0.60 decades apart; up to 0.5 is agreement"),
        ([1e-3, None, 2e-3], "weak", math.sqrt(2e-6), "in 2 of 3 sweeps"),
        ([1e-3], "weak", 1e-3, "a single sweep says 0.001, and nothing confirms it"),
        ([1e-4, 1e-3, 2e-3], "none", None, "1.30 decades apart; more than 1 is no answer"),
        ([1e-3, None, None], "none", None, "2 of 3 sweeps have no answer; the first of them because the loss is flat"),
        ([None], "none", None, "the loss is flat"),
    ],
)
def test_the_word_for_the_sweeps_agreement_has_its_numbers(
    valleys: Sequence[float | None], word: str, rate: float | None, says: str
) -> None:
    found = made(valleys)
    assert found.agreement == word
    assert found.rate == (None if rate is None else pytest.approx(rate))
    assert says in found.agreement_reason


def test_sweeps_of_noise_alone_hardly_ever_agree() -> None:
    chance = np.random.default_rng(1)
    lrs = [exponential(1e-7, 10, number / 100) for number in range(100)]

    def noise() -> Sweep:
        losses, smooth = chance.normal(3.6, 0.3, 100).tolist(), SmoothLoss()
        smoothed = [smooth.update(loss) for loss in losses]
        return Sweep(tuple(lrs), tuple(losses), tuple(smoothed), 100, suggest(lrs, losses, smoothed, 100))

    searches = [RateSearch((noise(), noise(), noise()), freeze=True, batch_size=8) for _ in range(100)]
    assert sum(found.rate is not None for found in searches) <= 5


def test_the_record_has_every_sweep_the_middles_and_a_reason_for_each_null() -> None:
    content = made([1e-3, 1e-2, None]).content()
    assert content["suggestions"] == dict.fromkeys(FUNCTIONS, pytest.approx(math.sqrt(1e-5)))
    assert content["spread_decades"] == dict.fromkeys(FUNCTIONS, pytest.approx(1.0))
    assert content["reasons"] == {}
    assert [sweep["suggestions"]["valley"] for sweep in content["sweeps"]] == [1e-3, 1e-2, None]
    assert content["sweeps"][2]["reasons"]["slide"] == "the loss is flat"
    assert (content["lrs"], content["freeze"], content["batch_size"]) == ([0.1, 0.2], True, 4)
    nothing = made([None, None]).content()
    assert nothing["suggestions"] == nothing["spread_decades"] == dict.fromkeys(FUNCTIONS)
    assert nothing["reasons"].keys() == FUNCTIONS.keys()


def test_each_suggestion_has_a_word_of_its_own_and_is_null_where_its_sweeps_lie_apart() -> None:
    apart = {"minimum": (1e-3, 1e-3), "steep": (1e-3, 6e-3), "valley": (1e-3, 2e-3), "slide": (1e-7, 3e-4)}
    sweeps = [
        Sweep((0.1, 0.2), (2.0, 1.0), (2.0, 1.5), 2, Suggestions({name: apart[name][i] for name in apart}, {}))
        for i in (0, 1, 1)
    ]
    content = RateSearch(tuple(sweeps), freeze=True, batch_size=4).content()
    assert content["agreements"] == {"minimum": "agree", "steep": "weak", "valley": "agree", "slide": "none"}
    assert content["suggestions"] == {
        "minimum": 1e-3,
        "steep": pytest.approx(6e-3),
        "valley": pytest.approx(2e-3),
        "slide": None,
    }
    assert content["reasons"] == {
        "slide": "slide lies between 1e-07 and 0.0003 in 3 of 3 sweeps, 3.48 decades apart; more than 1 is no answer"
    }
    assert content["spread_decades"]["slide"] == pytest.approx(math.log10(3e3))
    assert (content["agreement"], content["agreement_of"], content["rate"]) == ("agree", "valley", pytest.approx(2e-3))


LRS = [exponential(1e-7, 10, number / 100) for number in range(100)]


def rising(onset: int | None) -> Sweep:
    """A trained model's sweep: even, until the rate is too high."""
    losses = [1.5 + (i % 2) * 0.1 + (max(0, i - onset) * 0.1 if onset else 0) for i in range(100)]
    smooth = SmoothLoss()
    smoothed = [smooth.update(loss) for loss in losses]
    return Sweep(tuple(LRS), tuple(losses), tuple(smoothed), 100, suggest(LRS, losses, smoothed, 100))


def test_where_the_loss_only_rises_the_search_says_from_where_and_how_far_below_to_stay() -> None:
    found = RateSearch((rising(55), rising(None), rising(58)), freeze=False, batch_size=4)
    content = found.content()
    assert content["agreements"] == dict.fromkeys(FUNCTIONS, "none")
    low, _, high = (sweep["rises_at"] for sweep in content["sweeps"])
    assert LRS[52] < low < LRS[56] < high < LRS[60]
    assert content["sweeps"][1]["rises_at"] is None
    middle = math.sqrt(low * high)
    assert content["rises_at"] == pytest.approx(middle)
    assert content["rises_at_spread_decades"] == pytest.approx(math.log10(high / low))
    assert content["rises_at_sweeps"] == 2
    assert content["advice"] == (
        f"no rate lowers this model's loss beyond chance; from about {middle:.2g} it rises in 2 of 3 sweeps: "
        f"go on at a hundredth of that, {middle / 100:.1g}, or lower, or not at all"
    )
    assert (
        found.hint
        == f"Give the rate as a number, {middle / 100:.1g} or lower: from about {middle:.2g} on the loss rises."
    )


def test_without_a_rise_or_with_a_rate_there_is_no_advice() -> None:
    one = RateSearch((rising(55), rising(None), rising(None)), freeze=False, batch_size=4)
    assert (one.rises_at, one.advice, one.hint) == (None, None, "Give the rate as a number.")
    assert one.content()["rises_at_sweeps"] == 1
    assert made([1e-3, 2e-3, 1.5e-3]).advice is None
