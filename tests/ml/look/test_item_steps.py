from pathlib import Path

import pytest
import torch
from PIL import Image

from ml.augment.augment import training_input
from ml.augment.draws import draw_batch
from ml.augment.seed import generator
from ml.config import TrainSettings
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.data.single_item import open_item, presize
from ml.decode.images import Limits
from ml.look.item_steps import Passage, follow
from tests.ml.pictures import dataset, encoded, fill, picture

SETTINGS = TrainSettings(presize=48, size=32, seed=3)


def passage(folder: Path, number: int = 0, *, resize: bool = True) -> Passage:
    manifest, source = dataset(folder)
    return follow(manifest, source, number, SETTINGS, resize=resize, limits=Limits())


def test_every_step_says_what_the_item_is_after_it(tmp_path: Path) -> None:
    found = passage(tmp_path / "pets")
    assert [(step.name, step.shape, step.dtype) for step in found.steps] == [
        ("open", (30, 40), None),
        ("convert", (30, 40, 3), "uint8"),
        ("label", (), "int64"),
        ("presize", (48, 48, 3), "uint8"),
        ("to tensor", (48, 48, 3), "uint8"),
        ("collate", (2, 48, 48, 3), "uint8"),
        ("to float", (2, 3, 48, 48), "float32"),
        ("augment", (2, 3, 32, 32), "float32"),
        ("scale", (2, 3, 32, 32), "float32"),
        ("lighting", (2, 3, 32, 32), "float32"),
        ("normalise", (2, 3, 32, 32), "float32"),
    ]
    assert found.collated.fits
    assert found.collated.items == (0, 1)


def test_the_last_step_is_what_training_gives_its_model(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    last = follow(manifest, source, 2, SETTINGS, resize=True, limits=Limits()).steps[-1]
    chance = generator(3, "augment", 0)
    draws = draw_batch(2, SETTINGS.augment, SETTINGS.min_scale, chance)
    kept = [presize(open_item(manifest, source, number, Limits()).image, 48) for number in (2, 3)]
    windows = [torch.from_numpy(one.window(at)) for one, at in zip(kept, draws.positions.tolist(), strict=True)]
    trained = training_input(torch.stack(windows), draws, 32)[0]
    assert last.low == pytest.approx(trained.min().item(), abs=1e-6)
    assert last.high == pytest.approx(trained.max().item(), abs=1e-6)


def test_ranges_are_of_the_followed_item(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    for name, grey in (("pug_1.png", 100), ("pug_2.png", 250), ("boxer_1.png", 5)):
        (folder / name).write_bytes(encoded(Image.new("RGB", (40, 40), (grey, grey, grey)), "PNG"))
    manifest = scan_folder(folder, LabelRule(regex=r"(.+)_\d+.png$"), name="pets")
    steps = follow(manifest, Folder(folder, manifest), 1, SETTINGS, resize=True, limits=Limits()).steps
    assert {(step.low, step.high) for step in steps if step.name in {"convert", "presize", "collate", "to float"}} == {
        (100, 100)
    }


def test_without_a_resize_two_sizes_do_not_fit_and_the_mend_is_named(tmp_path: Path) -> None:
    found = passage(tmp_path / "pets", resize=False)
    assert [step.name for step in found.steps] == ["open", "convert", "label", "to tensor"]
    assert not found.collated.fits
    assert found.collated.shapes == ((30, 40, 3), (44, 30, 3))
    assert found.collated.reason == (
        "items of 30 x 40 x 3 and 44 x 30 x 3 cannot be stacked into one batch: all must have one shape"
    )
    assert found.collated.fix == "Add a resize: presize=48 makes every item 48 x 48 x 3."
    with pytest.raises(RuntimeError, match="equal size"):
        torch.stack([torch.zeros(shape) for shape in found.collated.shapes])


def test_the_item_of_another_size_is_looked_for(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ["a_1.jpg", "a_2.jpg", "b_1.jpg"], sizes=((40, 30), (40, 30), (30, 44)))
    manifest = scan_folder(folder, LabelRule(), name="pets")
    found = follow(manifest, Folder(folder, manifest), 0, SETTINGS, resize=False, limits=Limits())
    assert found.collated.items == (0, 2)


def test_pictures_of_one_size_make_a_batch_without_a_resize(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ["a_1.jpg", "b_1.jpg"], sizes=((40, 30),))
    manifest = scan_folder(folder, LabelRule(), name="pets")
    found = follow(manifest, Folder(folder, manifest), 1, SETTINGS, resize=False, limits=Limits())
    assert found.collated.fits
    assert (found.steps[-1].name, found.steps[-1].shape) == ("collate", (2, 30, 40, 3))


def test_a_file_that_is_not_what_its_name_says_is_called_what_it_is(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ["b_1.jpg"])
    (folder / "a_1.jpg").write_bytes(encoded(picture(mode="P"), "GIF"))
    manifest = scan_folder(folder, LabelRule(), name="pets")
    first = follow(manifest, Folder(folder, manifest), 0, SETTINGS, resize=True, limits=Limits()).steps[0]
    assert first.type == "GIF file, whatever its name says, mode P"
