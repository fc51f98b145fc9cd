import pytest

from ml.config import LrFind, ResolvedConfig, resolve, train_config
from ml.sizes import sizes_of


def config(**asked: object) -> ResolvedConfig:
    return resolve(train_config.validate_python({"epochs": 3, "freeze_epochs": 1, **asked}))


@pytest.mark.parametrize(
    ("asked", "each"),
    [
        ("size", (224,)),
        (128, (128,)),
        ((128, 160), (128, 160)),
        ((100, 200), (100, 132, 164, 196, 200)),
        ((160, 160), (160,)),
        (512, (224,)),
        ((192, 512), (192, 224)),
    ],
)
def test_a_training_grows_from_one_size_to_the_other_and_never_past_that_of_measuring(
    asked: object, each: tuple[int, ...]
) -> None:
    assert sizes_of(config(train_size=asked, presize=512), 10).each == each


def test_each_size_has_an_equal_share_of_all_steps_on_photos() -> None:
    sizes = sizes_of(config(train_size=(96, 224), epochs=1, freeze_epochs=0), 11)
    # 11 steps among five sizes
    assert [sizes.at(step) for step in range(11)] == [96] * 3 + [128] * 2 + [160] * 2 + [192] * 2 + [224] * 2
    assert sizes.at(99) == 224


@pytest.mark.parametrize("train_size", ["size", 64, (64, 224)])
def test_the_work_of_steps_is_the_area_of_each_one_s_photos(train_size: object) -> None:
    sizes = sizes_of(config(train_size=train_size, freeze_epochs=1), 7)
    for first, end in ((0, 28), (0, 1), (5, 23), (20, 40), (3, 3)):
        whole = sum((sizes.at(step) / 224) ** 2 for step in range(first, end))
        assert sizes.work(first, end) == pytest.approx(whole)


def test_a_search_on_its_own_and_a_probe_have_the_first_size() -> None:
    assert sizes_of(LrFind(train_size=(64, 128)), 10).at(50) == 64
    probe = resolve(train_config.validate_python({"recipe": "probe", "train_size": (64, 128)}))
    assert sizes_of(probe, 10).at(50) == 64
