import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.breeds import BREEDS
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.errors import LearningError
from ml.sample.breeds import LOOKS
from ml.sample.draw import draw_picture, draw_sample, draw_share


def test_every_breed_gets_its_pictures_and_the_default_rule_reads_them(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    draw_sample(tmp_path, per_breed=1, on_progress=lambda done, total: told.append((done, total)))
    manifest = scan_folder(tmp_path, LabelRule(), name="sample", drawn=True)
    assert manifest.vocab == tuple(sorted(breed.name for breed in BREEDS))
    assert manifest.summary()["formats"] == {"JPEG": 37}
    assert manifest.exclusions == ()
    assert told == [(n, 37) for n in range(1, 38)]


def test_the_same_number_draws_the_same_bytes_and_another_another_picture() -> None:
    pug = next(breed for breed in BREEDS if breed.name == "pug")
    assert draw_picture(pug, 1) == draw_picture(pug, 1)
    assert draw_picture(pug, 1) != draw_picture(pug, 2)


def test_shares_make_up_the_whole(tmp_path: Path) -> None:
    names = [path.name for share in range(8) for path in draw_share(tmp_path / "x", 0, share, 8)]
    assert names == []
    (tmp_path / "y").mkdir()
    drawn = [path.name for path in draw_share(tmp_path / "y", 1, 3, 8)]
    assert drawn == [f"{breed.name}_1.jpg" for breed in BREEDS[3::8]]


def test_pictures_have_varied_shapes_near_320_by_260() -> None:
    sizes = {Image.open(io.BytesIO(draw_picture(BREEDS[0], n))).size for n in range(1, 9)}
    assert len(sizes) >= 4
    for width, height in sizes:
        assert 230 <= width <= 380
        assert 220 <= height <= 350


def test_coats_can_be_told_apart_by_colour() -> None:
    # A black cat and a white dog: if the pet were not in its pictures, the scenes alone would average out.
    def brightness(name: str) -> float:
        breed = next(breed for breed in BREEDS if breed.name == name)
        pictures = [np.asarray(Image.open(io.BytesIO(draw_picture(breed, n)))) for n in range(1, 7)]
        return float(np.mean([picture[picture.shape[0] // 2 :].mean() for picture in pictures]))

    assert brightness("samoyed") > brightness("Bombay") + 15


def test_every_breed_has_a_look() -> None:
    assert set(LOOKS) == {breed.name for breed in BREEDS}


def test_a_failed_drawing_process_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.sample.draw.sys.executable", "/bin/false")
    with pytest.raises(LearningError, match="ended with 1"):
        draw_sample(tmp_path, per_breed=1)
