from pathlib import Path

import numpy as np
import pytest
import torch

from ml.augment.lighting import normalise
from ml.config import FineTune, TrainSettings, resolve
from ml.data.cache import open_cache
from ml.data.single_item import open_item, presize
from ml.data.split import make_split
from ml.decode.images import Limits
from ml.errors import DatasetUnusable
from ml.learn.batches import TrainingBatches
from ml.look.contact_sheet import BLACK, CAPTION_SIZE, WHITE, Heading, Paper, Tile, draw_sheet, fit, length
from ml.look.labelled_batch import Shown, choose_items, draw_batch, make_batch, to_image, to_pixels
from tests.ml.pictures import dataset, holds, picture

SETTINGS = TrainSettings(presize=48, size=32, seed=7, batch_size=4)


def test_squares_are_those_of_the_presized_cache(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    cache = open_cache(manifest, source, presize=48, root=tmp_path / "cache", limits=Limits(), on_progress=None)
    for number in range(len(manifest.items)):
        kept = presize(open_item(manifest, source, number, Limits()).image, 48)
        assert np.array_equal(kept.centre(), cache.centre(number))
        for position in (0.0, 0.37, 0.999):
            assert np.array_equal(kept.window(position), cache.window(number, position))


def test_a_whole_batch_is_the_one_that_a_run_trains_on_first(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets", breeds=2, each=6)
    config = resolve(FineTune(presize=48, size=32, seed=7, batch_size=4))
    split = make_split(manifest, config)
    cache = open_cache(manifest, source, presize=48, root=tmp_path / "cache", limits=Limits(), on_progress=None)
    classes = [manifest.vocab.index(item.label) for item in manifest.items]
    batches = TrainingBatches(cache, classes, split, config)
    trained, targets = batches.load(batches.sample(0), torch.device("cpu"))

    items = choose_items(split.train, 4, config.seed)
    batch = make_batch(manifest, source, items, config, shown="augmented", limits=Limits())
    assert [classes[number] for number in items] == targets.tolist()
    assert batch.as_is is None
    assert batch.augmented is not None
    assert torch.equal(batch.augmented, to_pixels(trained))


def test_normalisation_is_taken_back_exactly() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(1, 16, 16, 3)
    inputs = normalise(pixels.permute(0, 3, 1, 2).float() / 255)
    assert torch.equal(to_pixels(inputs), pixels)


def test_as_is_is_the_centre_whatever_the_seed_and_augmented_is_not(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    items = (0, 3)
    made = [
        make_batch(manifest, source, items, SETTINGS.model_copy(update={"seed": s}), shown="both", limits=Limits())
        for s in (1, 2, 1)
    ]
    plain = [batch.as_is for batch in made if batch.as_is is not None]
    changed = [batch.augmented for batch in made if batch.augmented is not None]
    assert torch.equal(plain[0], plain[1])
    assert torch.equal(changed[0], changed[2])
    assert not torch.equal(changed[0], changed[1])


@pytest.mark.parametrize(("shown", "high"), [("as_is", 1), ("augmented", 1), ("both", 2)])
def test_a_sheet_has_every_picture_and_both_ways_below_each_other(tmp_path: Path, shown: Shown, high: int) -> None:
    manifest, source = dataset(tmp_path / "pets")
    batch = make_batch(manifest, source, (0, 4), SETTINGS, shown=shown, limits=Limits())
    sheet = draw_batch(manifest, batch, title="pets", shown=shown)
    for pictures in (batch.as_is, batch.augmented):
        if pictures is not None:
            for number in range(2):
                assert holds(sheet, pictures[number].numpy())
    assert sheet.height > 32 * high


@pytest.mark.parametrize("paper", [WHITE, BLACK])
def test_only_a_drawn_dataset_says_in_red_that_it_is_drawn(tmp_path: Path, paper: Paper) -> None:
    manifest, source = dataset(tmp_path / "pets")
    batch = make_batch(manifest, source, (0,), SETTINGS, shown="as_is", limits=Limits())
    for drawn in (True, False):
        sheet = draw_batch(
            manifest.model_copy(update={"drawn": drawn}), batch, title="pets", shown="as_is", paper=paper
        )
        assert sheet.getpixel((0, 0)) == sheet.getpixel((sheet.width - 1, sheet.height - 1)) == paper.ground
        assert (np.asarray(sheet) == paper.mark).all(-1).any() == drawn


def test_a_long_label_ends_in_dots_within_its_picture_and_control_characters_are_blanks() -> None:
    cut = fit("a_very_long_breed_name_" * 5, CAPTION_SIZE, 100)
    assert cut.startswith("a_very")
    assert cut.endswith("…")
    assert length(cut, CAPTION_SIZE) <= 100
    assert fit("pug", CAPTION_SIZE, 100) == "pug"
    assert fit("two\nlines\x00", CAPTION_SIZE, 200) == "two lines "
    draw_sheet(Heading("a\nb"), [Tile((picture(20, 20),), "c\nd" * 9)], columns=8)


def test_an_item_that_is_another_size_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    manifest, source = dataset(tmp_path / "pets")
    wrong = manifest.items[0].model_copy(update={"width": 41})
    with pytest.raises(DatasetUnusable, match="40x30 pixels, the manifest says 41x30"):
        open_item(manifest.model_copy(update={"items": (wrong, *manifest.items[1:])}), source, 0, Limits())


def test_a_picture_of_a_tensor_has_its_pixels() -> None:
    pixels = torch.randint(0, 256, (5, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    assert np.array_equal(np.asarray(to_image(pixels)), pixels.numpy())
