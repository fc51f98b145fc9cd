"""Rates left to a search, as the loop finds them."""

from pathlib import Path

import pytest

from ml.errors import NoRateFound, Stopped
from ml.learn.lr_find import find_rate
from tests.ml.learn.test_trainer import Recorder, check_equal, of, toy_trainer, trained


def test_a_fine_tune_at_auto_equals_bit_for_bit_the_one_at_the_rate_that_was_found(tmp_path: Path) -> None:
    recorder = Recorder()
    auto = trained(of(base_lr="auto", epochs=2), tmp_path / "auto", recorder)
    assert [found.phase for found in recorder.rates] == [0]
    rate = recorder.rates[0].rate
    assert rate is not None
    given = Recorder()
    check_equal(trained(of(base_lr=rate, epochs=2), tmp_path / "given", given), auto)
    assert given.rates == []
    assert [batch.raw_loss for batch in recorder.batches] == [batch.raw_loss for batch in given.batches]
    assert max(batch.lr[-1] for batch in recorder.batches if batch.phase == 0) == pytest.approx(rate, rel=0.02)


def test_phases_at_auto_each_search_on_the_weights_as_they_stand(tmp_path: Path) -> None:
    recorder = Recorder()
    head, whole = {"freeze": True, "epochs": 1, "lr_max": "auto"}, {"freeze": False, "epochs": 2, "lr_max": "auto"}
    auto = trained(of(recipe="phases", phases=[head, whole]), tmp_path / "auto", recorder)
    assert [(found.phase, found.content["freeze"]) for found in recorder.rates] == [(0, True), (1, False)]
    assert recorder.rates[0].content["losses"][0] > recorder.rates[1].content["losses"][0]
    rates = [found.rate for found in recorder.rates]
    given = of(recipe="phases", phases=[{**head, "lr_max": rates[0]}, {**whole, "lr_max": rates[1]}])
    check_equal(trained(given, tmp_path / "given", Recorder()), auto)


def test_a_training_with_a_search_before_it_equals_the_one_without(tmp_path: Path) -> None:
    config = of(base_lr=0.02, epochs=1)
    searched = toy_trainer(config, tmp_path / "searched", Recorder())
    assert find_rate(searched.train_step, freeze=True, reporter=Recorder()).sweeps[0].lrs
    find_rate(searched.train_step, freeze=False, reporter=Recorder())
    searched.train()
    check_equal(trained(config, tmp_path / "plain", Recorder()), searched.model.state_dict())


@pytest.mark.parametrize(
    ("stop_before", "searches"), [(4, 1), pytest.param(10, 1, marks=pytest.mark.thorough), (23, 0)]
)
def test_a_resumed_run_keeps_its_found_rate_and_searches_only_before_a_phase(
    stop_before: int, searches: int, tmp_path: Path
) -> None:
    head, whole = {"freeze": True, "epochs": 1, "lr_max": "auto"}, {"freeze": False, "epochs": 2, "lr_max": "auto"}
    config = of(recipe="phases", phases=[head, whole])
    uncut = trained(config, tmp_path / "whole", Recorder())
    with pytest.raises(Stopped):
        trained(config, tmp_path / "cut", Recorder(stop_before))
    rest = Recorder()
    resumed = toy_trainer(config, tmp_path / "cut", rest)
    resumed.restore()
    assert resumed.step == stop_before
    resumed.train()
    assert [found.phase for found in rest.rates] == [1] * searches
    check_equal(uncut, resumed.model.state_dict())


def test_a_search_without_an_answer_is_recorded_and_ends_the_run_saying_so(tmp_path: Path) -> None:
    recorder = Recorder()
    still = {"steps": 40, "sweeps": 2, "start_lr": 1e-12, "end_lr": 1e-11}
    with pytest.raises(NoRateFound, match=r"before phase 1 has no answer: 2 of 2 sweeps .* the loss fell by") as raised:
        trained(of(base_lr="auto", lr_sweep=still), tmp_path, recorder)
    assert raised.value.code == "no_rate_found"
    assert raised.value.hint == "Give the rate as a number."
    assert [(found.rate, found.agreement) for found in recorder.rates] == [(None, "none")]
    assert recorder.batches == []


def test_where_the_loss_only_rises_the_refusal_names_the_rate_to_stay_below(tmp_path: Path) -> None:
    recorder = Recorder()
    learnt = of(base_lr=0.03, epochs=8)
    trainer = toy_trainer(learnt, tmp_path / "learnt", Recorder())
    trainer.train()
    hot = {"steps": 60, "sweeps": 3, "start_lr": 1e-6, "end_lr": 10.0}
    again = toy_trainer(of(base_lr="auto", lr_sweep=hot), tmp_path, recorder, trainer.model)
    with pytest.raises(NoRateFound) as raised:
        again.train()
    (found,) = recorder.rates
    most = f"{found.content['rises_at'] / 100:.1g}"
    assert f"Give the rate as a number, {most} or lower" in str(raised.value.hint)
    assert f"a hundredth of that, {most}, or lower" in found.content["advice"]


def test_a_stop_during_the_search_loses_nothing(tmp_path: Path) -> None:
    class Impatient(Recorder):
        asked = 0

        def should_stop(self) -> bool:
            self.asked += 1
            return self.asked == 30

    config = of(base_lr="auto", epochs=1)
    stopped = toy_trainer(config, tmp_path, Impatient())
    with pytest.raises(Stopped):
        stopped.train()
    assert (stopped.step, stopped.rate) == (0, None)
    stopped.train()
    check_equal(trained(config, tmp_path / "plain", Recorder()), stopped.model.state_dict())
