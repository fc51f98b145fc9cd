from dataclasses import dataclass

import pytest

from ml.config import LossName
from ml.reading.chance import Chance
from ml.reading.curves import CurveReading, PlannedRun, read_curves

VALID_ITEMS = 1478


@dataclass
class Row:
    phase: int
    train_loss: float
    valid_loss: float
    error_rate: float


Figures = tuple[float, float, float]


def read(
    *phases: list[Figures],
    items: int = VALID_ITEMS,
    breeds: int = 37,
    loss: LossName = "cross_entropy",
    rates: tuple[float | None, ...] = (),
    more_epochs: int = 0,
    pretrained: bool = True,
) -> list[CurveReading]:
    """Of phases that ran all their epochs, or of which the last has ``more_epochs`` to run."""
    epochs = [len(phase) for phase in phases]
    asked = PlannedRun(
        loss=loss,
        breeds=breeds,
        pretrained=pretrained,
        epochs=[*epochs[:-1], *(n + more_epochs for n in epochs[-1:])],
        rates=rates or (None,) * len(phases),
    )
    return read_curves([Row(i, *figures) for i, phase in enumerate(phases) for figures in phase], items, asked)


def word(*phases: list[Figures], items: int = VALID_ITEMS, breeds: int = 37, more_epochs: int = 0) -> str:
    """Of the last phase."""
    return read(*phases, items=items, breeds=breeds, more_epochs=more_epochs)[-1].word


HEAD = [(1.158203, 0.300560, 0.092693), (0.516345, 0.242830, 0.073072), (0.335896, 0.207630, 0.065629)]
DISCRIMINATIVE = [
    (0.257385, 0.204113, 0.068336),
    (0.266140, 0.203935, 0.065629),
    (0.240853, 0.194436, 0.060893),
    (0.218652, 0.189227, 0.062246),
    (0.196062, 0.192026, 0.063599),
    (0.173631, 0.184970, 0.060217),
    (0.159832, 0.185538, 0.061570),
    (0.151429, 0.180841, 0.061570),
    (0.136421, 0.182115, 0.062246),
    (0.133766, 0.175982, 0.058187),
    (0.133599, 0.178821, 0.056834),
    (0.128872, 0.176038, 0.058863),
]
RATE_TOO_HIGH = ([(2.648785, 4.358732, 0.443843)], [(4.398980, 3.214994, 0.839648)])
DEEPER = (
    [(1.251300, 0.289129, 0.081867), (0.567936, 0.275442, 0.083221), (0.440096, 0.237322, 0.071719)],
    [
        (0.271949, 0.198495, 0.065629),
        (0.322747, 0.302487, 0.093369),
        (0.256723, 0.226659, 0.071042),
        (0.166247, 0.190719, 0.064953),
        (0.092291, 0.155199, 0.050744),
        (0.060924, 0.141513, 0.048038),
    ],
)
LOW_RATE = [
    (0.280055, 0.198210, 0.065629),
    (0.259113, 0.193244, 0.066306),
    (0.228144, 0.190782, 0.063599),
    (0.209694, 0.186441, 0.064276),
    (0.203076, 0.189319, 0.064276),
    (0.180903, 0.186041, 0.062246),
]


def test_a_run_without_epochs_says_nothing() -> None:
    assert read() == []


def test_one_epoch_says_nothing_about_a_trend() -> None:
    (only,) = read(HEAD[:1])
    assert (only.phase, only.word) == (0, "too_few_epochs")
    assert "9.3 % (±1.5 points" in only.sentence


def test_the_notes_twelve_discriminative_epochs_end_flat_and_the_head_before_was_still_improving() -> None:
    head, body, whole = read(HEAD, DISCRIMINATIVE)
    assert (head.phase, head.word) == (0, "still_improving")
    assert "0.243 to 0.208" in head.sentence
    assert (body.phase, body.word) == (1, "flat")
    assert body.sentence.startswith(
        "Flat in the last 3 of 12 epochs, by the best before and the best since: error rate from 6.0 % to 5.7 %, "
        "validation loss from 0.181 to 0.176;"
    )
    assert (whole.phase, whole.word) == (None, "flat")
    assert "2 phases and 15 epochs" in whole.sentence
    assert "9.3 % to 5.9 %" in whole.sentence


def test_the_notes_rate_of_a_tenth_is_called_too_high_with_its_numbers() -> None:
    first, second, whole = read(*RATE_TOO_HIGH, rates=(0.1, 0.05))
    assert first.word == "too_few_epochs"
    assert "4.36, is worse than guessing every breed alike (ln 37 = 3.61)" in first.sentence
    assert "(here up to 0.1)" in first.sentence
    assert second.word == whole.word == "rate_too_high"
    assert "44.4 % at the end of the phase before to 84.0 %" in second.sentence
    assert "from 2.65 to 4.4: the learning rate, up to 0.05 in this phase, is probably too high" in second.sentence
    assert "the best, 44.4 %, was epoch 1's. The highest learning rate was 0.1." in whole.sentence


def test_the_notes_deeper_model_is_still_improving_although_it_got_worse_on_the_way() -> None:
    assert word(*DEEPER) == "still_improving"
    assert word(DEEPER[0], DEEPER[1][:2], more_epochs=4) == "getting_worse"


def test_the_notes_six_epochs_at_a_low_rate_are_flat() -> None:
    assert word(LOW_RATE) == "flat"


def test_a_first_unfrozen_epoch_that_is_clearly_worse_is_said_to_be_no_more_than_that() -> None:
    reading = read([(1.086781, 0.335212, 0.107578)], [(0.733380, 0.517203, 0.146143)])[1]
    assert reading.word == "getting_worse"
    assert "one epoch cannot say" in reading.sentence


MADE: dict[str, tuple[list[Figures], str]] = {
    "loss rises for two epochs, error falls": (
        [(0.5, 0.40, 0.120), (0.3, 0.35, 0.100), (0.2, 0.39, 0.098), (0.1, 0.43, 0.095)],
        "over_confident",
    ),
    "loss rises for two epochs, error within chance": (
        [(0.5, 0.40, 0.120), (0.3, 0.35, 0.100), (0.2, 0.39, 0.101), (0.1, 0.43, 0.105)],
        "over_confident",
    ),
    "loss and error rise, training loss falls": (
        [(0.5, 0.40, 0.120), (0.3, 0.35, 0.100), (0.2, 0.41, 0.120), (0.1, 0.50, 0.140)],
        "over_fitting",
    ),
    "loss and error rise, training loss too, but not by half": (
        [(0.50, 0.40, 0.120), (0.30, 0.35, 0.100), (0.32, 0.41, 0.120), (0.31, 0.50, 0.140)],
        "getting_worse",
    ),
    "loss and error rise, training loss too, error by more than half": (
        [(0.50, 0.40, 0.120), (0.60, 0.45, 0.150), (0.80, 0.70, 0.200)],
        "rate_too_high",
    ),
    "one epoch of rising loss is no over-confidence": (
        [(0.5, 0.40, 0.120), (0.3, 0.35, 0.100), (0.2, 0.39, 0.100)],
        "getting_worse",
    ),
    "loss rises while the training loss does": (
        [(0.50, 0.40, 0.120), (0.30, 0.35, 0.100), (0.33, 0.39, 0.100), (0.31, 0.43, 0.100)],
        "getting_worse",
    ),
    "error falls beyond chance at a steady loss": (
        [(0.5, 0.40, 0.200), (0.4, 0.40, 0.140)],
        "still_improving",
    ),
    "nothing moves": ([(0.5, 0.40, 0.1), (0.5, 0.40, 0.1), (0.5, 0.40, 0.1)], "flat"),
    "the loss is no longer a number": ([(0.5, 0.40, 0.1), (0.4, float("nan"), 0.1)], "getting_worse"),
    "no error at all": ([(0.5, 0.1, 0.0), (0.4, 0.1, 0.0)], "flat"),
}


# Trained for this: resnet18 at 64 pixels, 240 pictures of 15 breeds (guessing costs 2.71), 60 to validate on.
TOO_HIGH: dict[str, tuple[list[Figures], list[Figures]]] = {
    "0.1, 3 steps an epoch": ([(3.931, 89.648, 0.850)], [(4.557, 56.198, 0.933)]),
    "0.1, 7 steps an epoch": ([(4.124, 42.983, 0.733)], [(6.429, 96.163, 0.967)]),
    "0.1, 30 steps an epoch": ([(7.313, 23.657, 0.750)], [(12.783, 12.622, 0.917)]),
    "0.1, 3 steps an epoch, at 96 pixels": ([(3.409, 117.610, 0.883)], [(3.443, 31.845, 0.867)]),
    "0.03, 30 steps an epoch": ([(4.305, 9.077, 0.767)], [(5.560, 5.347, 0.750)]),
}
BEGUN: dict[str, tuple[list[Figures], ...]] = {
    "0.002, 3 steps an epoch": ([(4.133, 6.530, 0.967)], [(3.851, 4.777, 0.883)]),
    "0.006, 3 steps an epoch": ([(4.073, 7.137, 0.883)], [(3.235, 5.295, 0.700)]),
    "0.006, 30 steps an epoch": ([(3.922, 3.980, 0.700)], [(3.018, 3.332, 0.650)]),
    "0.003 in all layers, 3 steps an epoch": ([(3.868, 15.468, 0.867), (3.318, 22.643, 0.933)],),
    "from scratch at 0.001, 3 steps an epoch": ([(4.405, 2.817, 0.933), (4.106, 2.811, 0.900)],),
    "from scratch at 0.003, 7 steps an epoch": ([(4.047, 54.818, 0.967), (4.002, 22.765, 0.967)],),
    "from scratch at 0.003, 30 steps an epoch": ([(4.200, 37.268, 0.900), (3.851, 3.622, 0.900)],),
}


@pytest.mark.parametrize("case", TOO_HIGH)
def test_a_rate_that_makes_the_training_worse_than_guessing_is_too_high_on_few_pictures_too(case: str) -> None:
    frozen, unfrozen = TOO_HIGH[case]
    assert word(frozen, unfrozen, items=60, breeds=15) == "rate_too_high"


@pytest.mark.parametrize("case", BEGUN)
def test_a_training_that_has_only_begun_is_not_blamed_on_its_rate(case: str) -> None:
    pretrained = "scratch" not in case
    for reading in read(*BEGUN[case], items=60, breeds=15, pretrained=pretrained):
        assert reading.word != "rate_too_high"
    # While the rate is still high, too.
    (early,) = read(BEGUN[case][0][:1], items=60, breeds=15, more_epochs=3, pretrained=pretrained)
    assert early.word == "too_few_epochs"


def test_one_epoch_that_validates_worse_than_guessing_says_so_with_both_causes() -> None:
    (only,) = read([(4.5, 98.5, 0.8)], items=60, breeds=20, rates=(0.1,), pretrained=False)
    assert only.word == "too_few_epochs"
    assert only.sentence.endswith(
        "The validation loss, 98.5, is worse than guessing every breed alike (ln 20 = 3.00): a training that has "
        "only begun does that, and so does a learning rate (here up to 0.1) that is too high."
    )


def test_from_pretrained_weights_one_epoch_far_worse_than_guessing_is_a_rate_too_high() -> None:
    (only,) = read([(4.5, 98.5, 0.857)], items=60, breeds=20, rates=(0.1,))
    assert only.word == "rate_too_high"
    assert only.sentence == (
        "The validation loss, 98.5, is 33 times that of guessing every breed alike (ln 20 = 3.00), far more than where "
        "a training from pretrained weights has only begun: the learning rate, up to 0.1 in this phase, is probably "
        "too high."
    )
    assert read([(4.5, 10 * 2.99, 0.857)], items=60, breeds=20)[0].word == "too_few_epochs"
    # Learned by heart: other pictures may cost anything.
    assert read([(1.4, 98.5, 0.4)], items=60, breeds=20)[0].word == "too_few_epochs"


def test_a_training_loss_that_rises_above_guessing_is_a_rate_too_high_whatever_the_error_rate() -> None:
    frozen, unfrozen, whole = read(
        [(4.5, 98.5, 0.857)], [(5.8, 173.6, 0.857)], items=60, breeds=20, rates=(0.1, 0.05), pretrained=False
    )
    assert [one.word for one in (frozen, unfrozen, whole)] == ["too_few_epochs", "rate_too_high", "rate_too_high"]
    assert unfrozen.sentence == (
        "The training loss rose from 4.5 at the end of the phase before to 5.8; it and the validation loss, 174, are "
        "worse than guessing every breed alike (ln 20 = 3.00): the learning rate, up to 0.05 in this phase, is "
        "probably too high."
    )


def test_a_training_loss_above_a_new_models_is_a_rate_too_high_in_the_first_epoch() -> None:
    (only,) = read([(7.313, 23.657, 0.75)], items=60, breeds=15, rates=(0.1,))
    assert only.word == "rate_too_high"
    assert "The training loss, 7.31, is worse than a new model's" in only.sentence
    assert "(ln 15 = 2.71)" in only.sentence
    assert read([(5.6, 23.657, 0.75)], items=60, breeds=15, pretrained=False)[0].word == "too_few_epochs"


def test_a_short_walk_at_a_tenth_is_called_too_high_without_half_again_as_many_errors() -> None:
    phases = [(2.787198, 4.393918, 0.474151)], [(3.506744, 3.528927, 0.579025)]
    assert word(*phases, items=677) == "rate_too_high"
    # With epochs to come the rate is still high, and the error may come back.
    assert word(*phases, items=677, more_epochs=2) == "getting_worse"


def test_under_binary_cross_entropy_guessing_is_even_odds() -> None:
    early = [(0.9, 0.60, 0.8)]
    (only,) = read(early, breeds=37, loss="binary_cross_entropy")
    assert "guessing" not in only.sentence
    (worse,) = read([(0.9, 0.80, 0.8)], breeds=37, loss="binary_cross_entropy")
    assert "0.8, is worse than even odds on every breed (ln 2 = 0.69)" in worse.sentence
    assert "so does a learning rate that is too high." in worse.sentence


def test_what_was_learned_by_heart_is_not_held_against_the_rate() -> None:
    rows = [(1.5, 2.0, 0.50), (0.8, 3.1, 0.52), (0.2, 4.2, 0.53)]
    assert "guessing" not in read(rows, breeds=10)[0].sentence


def test_a_phase_with_clearly_fewer_errors_is_on_its_way() -> None:
    begun, going = [(4.008, 5.422, 0.867)], [(2.448, 3.477, 0.667)]
    first, second, _ = read(begun, going, items=60, breeds=15)
    assert "guessing" in first.sentence
    assert "guessing" not in second.sentence
    # On 35 pictures the same may be chance.
    assert "guessing" in read(begun, going, items=35, breeds=15)[1].sentence


def test_the_last_epoch_is_the_best_of_all_only_beyond_chance() -> None:
    first = [(2.8, 0.87, 0.250)]
    whole = read(first, [(0.98, 0.65, 0.214)], items=677)[-1].sentence
    assert whole.endswith("from 25.0 % to 21.4 %; on 677 photos up to 4.6 points may be chance.")
    assert read(first, [(0.98, 0.65, 0.150)], items=677)[-1].sentence.endswith(
        "15.0 %, clearly the best of all epochs."
    )


def test_a_flat_phase_whose_last_epoch_is_within_chance_above_its_best_is_not_said_to_have_gone_there() -> None:
    rows = [(0.91, 0.653, 0.195), (0.85, 0.624, 0.192), (0.78, 0.615, 0.195)]
    (flat,) = read(rows, items=677)
    assert flat.sentence.startswith(
        "Flat in the last of 3 epochs, by the best before and the best since: error rate from 19.2 % to 19.5 %, "
        "validation loss from 0.624 to 0.615;"
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0.9, 0.62, 0.25), (0.8, 0.61, 0.246)], "too_few_epochs"),
        ([(0.9, 0.62, 0.25), (0.8, 0.61, 0.246), (0.7, 0.61, 0.246)], "too_few_epochs"),
        ([(0.9, 0.62, 0.25), (0.8, 0.61, 0.246), (0.7, 0.61, 0.246), (0.7, 0.61, 0.246)], "flat"),
        ([(0.9, 0.62, 0.79), (0.8, 0.61, 0.786)], "flat"),
    ],
)
def test_a_phase_that_has_just_brought_much_is_not_called_flat_for_its_last_epoch(
    rows: list[Figures], expected: str
) -> None:
    """Whoever reads that stops, where more epochs are the next thing to try."""
    _, second, whole = read([(3.1, 2.4, 0.8)], rows, items=340)
    assert (second.word, whole.word) == (expected, expected)
    if expected == "too_few_epochs":
        assert "fell from 80.0 % at the end of the phase before to 24.6 %" in second.sentence


def test_nor_is_a_first_phase() -> None:
    (only,) = read([(3.1, 2.4, 0.8), (2.0, 1.5, 0.3), (1.9, 1.5, 0.3)], items=340)
    assert only.word == "too_few_epochs"
    assert "fell from 80.0 % in the first epoch to 30.0 %" in only.sentence


@pytest.mark.parametrize("case", MADE)
def test_each_word_has_its_curve(case: str) -> None:
    rows, expected = MADE[case]
    assert word(rows) == expected


def test_what_many_pictures_show_is_chance_on_few() -> None:
    rows = [(0.5, 0.40, 0.20), (0.4, 0.36, 0.15)]
    assert word(rows, items=VALID_ITEMS) == "still_improving"
    assert word(rows, items=20) == "flat"


def test_over_confidence_and_over_fitting_tell_their_numbers() -> None:
    confident = read(MADE["loss rises for two epochs, error falls"][0])[0].sentence
    assert "since epoch 2 of 4" in confident
    assert "0.35 to 0.43" in confident
    assert "10.0 %, now 9.5 %" in confident
    fitting = read(MADE["loss and error rise, training loss falls"][0])[0].sentence
    assert "0.35 to 0.5" in fitting
    assert "10.0 % to 14.0 %" in fitting
    assert "0.3 to 0.1" in fitting


def test_error_rates_within_two_standard_errors_do_not_differ() -> None:
    chance = Chance(1000)
    # √(.1·.9/1000 · 2) = .01342; twice that is .0268.
    assert chance.of_errors(0.1, 0.1) == pytest.approx(0.0268, abs=2e-4)
    assert not chance.clearly_worse(0.126, 0.1)
    assert chance.clearly_worse(0.131, 0.1)
    assert Chance(1).clearly_worse(1.0, 0.0) is False


def test_a_validation_loss_differs_by_three_percent_or_more_where_pictures_are_few() -> None:
    assert Chance(10_000).loss_clearly_above(1.031, 1.0)
    assert not Chance(10_000).loss_clearly_above(1.029, 1.0)
    assert not Chance(100).loss_clearly_above(1.15, 1.0)
    assert Chance(100).loss_clearly_above(1.17, 1.0)


def go_on(before: Figures, phase: list[Figures]) -> list[CurveReading]:
    """Of a run of one phase that goes on from a run that ended with ``before``."""
    asked = PlannedRun(
        loss="cross_entropy", breeds=37, pretrained=True, epochs=[len(phase)], rates=[1e-2], before=Row(0, *before)
    )
    return read_curves([Row(0, *figures) for figures in phase], VALID_ITEMS, asked)


def test_a_run_that_goes_on_is_measured_by_the_run_before_it() -> None:
    falling = [(0.9, 0.9, 0.40), (0.7, 0.7, 0.30), (0.5, 0.5, 0.20)]
    assert read(falling)[0].word == "still_improving"
    reading = go_on((0.6, 0.25, 0.066), falling)[0]
    assert reading.word == "getting_worse"
    assert reading.sentence.startswith(
        "The error rate, 20.0 %, is clearly above the 6.6 % at the end of the run that this one goes on from. "
        "Still improving"
    )
    assert go_on((0.6, 0.25, 0.21), falling)[0].word == "still_improving"


def test_a_run_whose_later_phase_stays_behind_the_earlier_one_gets_worse() -> None:
    phase, whole = read([(0.8, 0.4, 0.10)], [(0.75, 0.9, 0.40), (0.7, 0.7, 0.30), (0.5, 0.5, 0.20)])[1:]
    assert (phase.word, whole.word) == ("getting_worse", "getting_worse")
    assert "at the end of the phase before" in phase.sentence


def test_guessing_is_called_guessing() -> None:
    flat = read([(3.7, 3.7, 0.973), (3.65, 3.65, 0.97)])[0]
    assert flat.word == "flat"
    assert flat.sentence.endswith("The error rate is not clearly below that of guessing, 97.3 %.")
    assert "guessing" not in read([(1.2, 1.1, 0.5), (1.1, 1.1, 0.5)])[0].sentence


def test_chance_is_never_more_than_everything() -> None:
    chance = Chance(1)
    assert chance.of_errors(0.5, 0.5) <= 1
    assert chance.loss_share == 1
