import pytest

from ml.config import (
    FineTune,
    LrFind,
    LrSweep,
    OneCycle,
    Phases,
    Probe,
    ResolvedConfig,
    TrainSettings,
    resolve,
)
from ml.config_phases import Phase
from ml.data.split import random_split
from ml.reading.forecast import PhaseSpeeds, Speed, forecast, kinds_needed, speed_of_epoch, split_sizes

FROZEN = PhaseSpeeds((Speed(20.0, 40.0), Speed(10.0, 40.0), Speed(40.0, 20.0)), 300)
UNFROZEN = PhaseSpeeds((Speed(8.0, 40.0),), 500)
BOTH = {True: FROZEN, False: UNFROZEN}


def fine_tune(**changes: object) -> ResolvedConfig:
    return resolve(FineTune.model_validate({"batch_size": 8, "epochs": 3, "freeze_epochs": 2, **changes}))


@pytest.mark.parametrize(("items", "valid_pct"), [(7390, 0.2), (101, 0.3), (10, 0.05), (37, 0.99)])
def test_the_split_is_as_large_as_the_one_that_is_drawn(items: int, valid_pct: float) -> None:
    split = random_split(items, valid_pct, 1)
    assert split_sizes(items, TrainSettings(valid_pct=valid_pct)) == (len(split.train), len(split.valid))


def test_an_epoch_is_whole_batches_at_the_training_speed_and_its_validation() -> None:
    # 101 pictures: 20 validate, 81 train, 80 of them in ten batches of 8.
    made = forecast(fine_tune(), 101, BOTH)
    frozen, unfrozen = made.epochs
    # 80/20 + 20/40 = 4.5, 80/10 + 20/40 = 8.5, 80/40 + 20/20 = 3.
    assert (frozen.expected, frozen.low, frozen.high) == (4.5, 3.0, 8.5)
    # 80/8 + 20/40 = 10.5.
    assert (unfrozen.expected, unfrozen.low, unfrozen.high) == (10.5, 10.5, 10.5)
    # 2 epochs frozen and 3 not.
    assert (made.total.expected, made.total.low, made.total.high) == (40.5, 37.5, 48.5)
    assert made.searches.expected == 0
    assert made.peak_memory_bytes == 500


def test_the_median_of_two_lies_between_them() -> None:
    two = PhaseSpeeds((Speed(10.0, 10.0), Speed(20.0, 10.0)), None)
    config = resolve(OneCycle(recipe="one_cycle", batch_size=10, epochs=1, freeze=True))
    made = forecast(config, 50, {True: two})
    # 40/10 + 10/10 = 5 and 40/20 + 10/10 = 3.
    assert (made.epochs[0].expected, made.total.low, made.total.high) == (4.0, 3.0, 5.0)
    assert made.peak_memory_bytes is None


def test_a_search_is_counted_once_for_fine_tune_and_for_each_phase_that_has_one() -> None:
    sweep = LrSweep(steps=50, sweeps=2)
    made = forecast(fine_tune(base_lr="auto", lr_sweep=sweep), 101, BOTH)
    # 2 sweeps of 50 steps of 8 pictures at 20, 10 and 40 a second, with the body frozen.
    assert (made.searches.expected, made.searches.low, made.searches.high) == (40.0, 20.0, 80.0)
    assert made.total.expected == 80.5
    phases = [Phase(freeze=freeze, epochs=1, lr_max="auto") for freeze in (True, False, False)]
    config = resolve(Phases(recipe="phases", phases=phases, batch_size=8, lr_sweep=sweep))
    # 800 pictures frozen at 20 a second, twice 800 unfrozen at 8.
    assert forecast(config, 101, BOTH).searches.expected == 40.0 + 100.0 + 100.0


def test_a_job_that_only_searches_has_no_epochs() -> None:
    config = LrFind(batch_size=8, freeze=False, lr_sweep=LrSweep(steps=100, sweeps=3))
    made = forecast(config, 101, {False: UNFROZEN})
    assert made.epochs == ()
    assert made.total.expected == made.searches.expected == 300.0
    assert made.peak_memory_bytes == 500


def test_only_the_kinds_of_phase_that_a_job_has_are_asked_for() -> None:
    assert kinds_needed(fine_tune()) == (True, False)
    assert kinds_needed(fine_tune(freeze_epochs=0)) == (False,)
    assert kinds_needed(LrFind()) == (True,)


def test_the_speeds_of_an_epoch_are_its_training_and_what_is_left_for_validation() -> None:
    # 81 pictures are ten batches of 8: 80 at 20 a second take 4 s, so that 20 pictures validated in 0.5 s.
    figures = {"train_items": 81, "valid_items": 20, "batch_size": 8, "images_per_second": 20.0}
    assert speed_of_epoch(**figures, seconds=4.5) == Speed(20.0, 40.0)  # type: ignore[arg-type]  # the counts are whole


@pytest.mark.parametrize("seconds", [4.0, 2.5])
def test_an_epoch_that_was_resumed_in_its_middle_tells_nothing(seconds: float) -> None:
    found = speed_of_epoch(train_items=80, valid_items=20, batch_size=8, images_per_second=20.0, seconds=seconds)
    assert found is None
    assert speed_of_epoch(train_items=8, valid_items=2, batch_size=8, images_per_second=0.0, seconds=1.0) is None


def test_a_search_and_an_epoch_of_growing_photos_take_as_their_areas() -> None:
    search = LrFind(batch_size=8, freeze=False, size=128, train_size=(64, 128), lr_sweep=LrSweep(steps=100, sweeps=3))
    assert forecast(search, 101, BOTH).total.expected == 300.0 / 4
    made = forecast(fine_tune(size=128, train_size=(64, 128), freeze_epochs=1, epochs=2), 101, BOTH)
    # Ten steps each: at 64, at 96, at 128.
    shares = [(side / 128) ** 2 for side in (64, 96, 128)]
    assert made.epochs[0].expected == pytest.approx(80 * shares[0] / 20 + 0.5)
    assert made.epochs[1].expected == pytest.approx(80 * (shares[1] + shares[2]) / 2 / 8 + 0.5)


def test_a_probe_is_one_pass_over_all_pictures_as_fast_as_validation() -> None:
    made = forecast(resolve(Probe(recipe="probe", batch_size=8, epochs=4)), 120, BOTH)
    assert (made.total.expected, made.total.low, made.total.high) == (3.0, 3.0, 6.0)
    assert [epoch.expected for epoch in made.epochs] == [0.75]
