from pathlib import Path

import numpy as np
import pytest
import torch

from ml.config import TrainSettings
from ml.data.bundle import Folder
from ml.data.cache import open_cache
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.data.split import make_split
from ml.decode.images import Limits
from ml.decode.presize import resize_square
from ml.fetch.weights import find_weights, load_state
from ml.learn.model import build_model
from tests.ml.pictures import open_rgb

pytestmark = pytest.mark.photos


@pytest.fixture(scope="module")
def photos(shared: Path) -> tuple[Path, Manifest]:
    folder = shared / "pets" / "images"
    return folder, scan_folder(folder, LabelRule(), name="pets")


@pytest.mark.thorough
def test_every_photo_of_the_37_breeds_is_usable(photos: tuple[Path, Manifest]) -> None:
    _, manifest = photos
    summary = manifest.summary()
    assert (len(manifest.items), len(manifest.vocab), summary["exclusions"]) == (3389, 37, {})
    assert manifest.vocab[:2] == ("Abyssinian", "Bengal")
    assert summary["per_breed"]["pug"] == 10
    split = make_split(manifest, TrainSettings(valid_pct=0.2, split_seed=42))
    assert (len(split.train), len(split.valid)) == (2712, 677)


def test_the_cache_of_real_photos_holds_the_exact_validation_square(
    photos: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = photos
    few = manifest.model_copy(update={"items": manifest.items[::300]})
    cache = open_cache(few, Folder(folder, few), presize=460, root=tmp_path, limits=Limits(), on_progress=None)
    for number, item in enumerate(few.items):
        picture = open_rgb((folder / item.path).read_bytes(), Limits())
        exact = np.asarray(resize_square(picture, 460, 0.5, 0.5))
        assert np.array_equal(cache.centre(number), exact), item.path


@pytest.mark.parametrize("arch", ["resnet18", "resnet50", "mobilenet_v2"])
def test_real_weights_are_found_and_fill_the_body(shared: Path, arch: str) -> None:
    found = find_weights(arch, shared / "weights")
    state = load_state(found.path)
    model = build_model(arch, 37, state)
    first = next(iter(model.body.state_dict().values()))
    assert torch.equal(first, next(t for t in state.values() if t.shape == first.shape))
