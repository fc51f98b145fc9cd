"""The served model: what it was trained with decides what it answers, and copies are a matter of the bytes alone."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import ml.learn.precision
from ml.decode.images import Limits
from ml.errors import CheckpointInvalid, ImageRejected
from ml.learn.losses import scores_of
from ml.learn.precision import choose_precision
from ml.learn.tta import combine
from ml.serve.classifier import Classifier
from ml.serve.description import Description
from ml.serve.engines import cast_weights, load_network
from ml.serve.graph import load_graph
from ml.serve.outputs import Output
from ml.serve.way import InputName, NumberFormat, Way
from tests.ml.pictures import jpeg
from tests.ml.serve.models import write_model

LIMITS = Limits()
KINDS: tuple[InputName, ...] = ("exact", "direct")


def classifier(folder: Path, **about: object) -> Classifier:
    """A random resnet18 whose description says ``about``."""
    return Classifier.load(write_model(folder, **about), "cpu")


def plain_scores(model: Classifier, picture: bytes) -> NDArray[np.float32]:
    """Its scores of a picture without copies."""
    return model.scores(list(model.run([model.prepare(picture, LIMITS)])))


def test_a_model_without_a_loss_in_its_description_is_one_of_cross_entropy(tmp_path: Path) -> None:
    old = classifier(tmp_path / "old")
    assert (old.loss, old.about.min_scale, old.about.augment.max_rotate) == ("cross_entropy", 0.75, 10)
    assert plain_scores(old, jpeg()).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("precision", "flag", "served"),
    [
        ("fp32", "avx512_bf16", "fp32"),
        ("fp32", "avx2", "fp32"),
        ("bf16", "avx512_bf16", "bf16"),
        ("bf16", "amx_bf16", "bf16"),
        ("bf16", "avx2", "fp32"),
    ],
)
def test_it_answers_in_the_precision_it_was_validated_in_unless_the_cpu_only_emulates_it(
    precision: str, flag: str, served: NumberFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ml.learn.precision, "cpu_flags", lambda: frozenset({flag}))
    assert classifier(tmp_path, precision=precision).way == Way("torch", served, "exact")


def test_a_precision_that_the_device_does_not_run_gives_way_to_its_own(tmp_path: Path) -> None:
    own = classifier(tmp_path / "own").way.precision
    assert classifier(tmp_path / "half", precision="fp16").way.precision == own != "fp16"


def test_a_model_of_binary_cross_entropy_scores_each_breed_on_its_own(tmp_path: Path) -> None:
    softmax, sigmoid = (classifier(tmp_path / loss, loss=loss) for loss in ("cross_entropy", "binary_cross_entropy"))
    picture = jpeg(seed=4)
    summing, alone = (plain_scores(model, picture).astype(np.float64) for model in (softmax, sigmoid))
    assert alone.sum() != pytest.approx(1, abs=0.01)
    # The same logits lie under both: sigmoid's odds are softmax's ratios.
    odds = alone / (1 - alone)
    assert odds / odds.sum() == pytest.approx(summing, rel=1e-3)


def test_equal_bytes_get_equal_copies_and_other_bytes_others(tmp_path: Path) -> None:
    model = classifier(tmp_path / "model")
    first, again, other = (model.prepare_copies(data, LIMITS) for data in (jpeg(), jpeg(), jpeg(seed=1)))
    assert len(first) == 5
    assert np.array_equal(first[0], model.prepare(jpeg(), LIMITS))
    assert np.array_equal(first, again)
    for one, another in zip(first[1:], other[1:], strict=True):
        assert not np.array_equal(one, another)
    assert len({one.tobytes() for one in first}) == 5


def test_copies_change_as_the_models_own_training_changed(tmp_path: Path) -> None:
    still = {"flip": False, "max_rotate": 0, "max_zoom": 1, "max_lighting": 0, "max_warp": 0}
    model = classifier(tmp_path / "model", config={"augment": still, "min_scale": 1.0, "arch": "resnet18"})
    square = jpeg(60, 60)
    rows = model.run(model.prepare_copies(square, LIMITS)).logits
    assert rows == pytest.approx(np.repeat(rows[:1], 5, axis=0), abs=5e-3)


def test_a_mixed_batch_keeps_its_order(tmp_path: Path) -> None:
    model = classifier(tmp_path / "model")
    inputs = []
    for seed in range(3):
        inputs += [model.prepare(jpeg(seed=seed), LIMITS), model.prepare_copies(jpeg(seed=seed), LIMITS)[seed + 1]]
    alone = [model.run([one]) for one in inputs]
    for name in ("logits", "features"):
        expected = np.concatenate([getattr(one, name) for one in alone])
        tolerance = 0.02 * float(np.abs(expected).max())
        assert getattr(model.run(inputs), name) == pytest.approx(expected, abs=tolerance)
        assert getattr(model.run(inputs[::-1]), name) == pytest.approx(expected[::-1], abs=tolerance)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_an_average_is_three_parts_of_the_copies_and_one_of_the_picture(tmp_path: Path, loss: str) -> None:
    model = classifier(tmp_path / "model", loss=loss)
    outputs = list(model.run(model.prepare_copies(jpeg(seed=2), LIMITS)))
    rows = np.stack([model.scores([one]) for one in outputs])
    found = model.scores(outputs)
    assert found == pytest.approx(0.75 * rows[1:].mean(0) + 0.25 * rows[0], rel=1e-5)
    assert found.dtype == np.float32
    assert (found.sum() == pytest.approx(1, abs=1e-5)) == (loss == "cross_entropy")


def test_the_average_is_that_of_the_validation(tmp_path: Path) -> None:
    logits = torch.randn(5, 1, 3, generator=torch.Generator().manual_seed(0))
    scores = torch.stack([scores_of("cross_entropy", one) for one in logits])
    model = classifier(tmp_path / "model")
    expected = combine(scores[0], scores[1:])[0]
    outputs = [Output(one[0].numpy(), np.zeros(1, np.float32)) for one in logits]
    assert model.scores(outputs) == pytest.approx(expected.numpy(), rel=1e-5)


def test_a_broken_picture_has_no_copies(tmp_path: Path) -> None:
    with pytest.raises(ImageRejected):
        classifier(tmp_path / "model").prepare_copies(b"no picture", LIMITS)


@pytest.mark.parametrize(
    "about", [{"loss": "hinge"}, {"config": {"min_scale": 7}}, {"config": {"augment": {"spin": 1}}}, {"config": 3}]
)
def test_a_description_that_cannot_be_followed_is_refused(tmp_path: Path, about: dict[str, object]) -> None:
    with pytest.raises(CheckpointInvalid):
        classifier(tmp_path / "model", **about)


def test_what_the_direct_way_refuses_goes_the_exact_way(tmp_path: Path) -> None:
    """A PNG is not for it."""
    folder = write_model(tmp_path / "model", precision="fp32")
    exact, direct = (Classifier.load(folder, "cpu", Way("torch", "fp32", kind)) for kind in KINDS)
    with Image.open(io.BytesIO(jpeg(seed=3))) as picture:
        out = io.BytesIO()
        picture.save(out, "PNG")
    plain = exact.prepare(out.getvalue(), LIMITS)
    assert np.array_equal(direct.prepare(out.getvalue(), LIMITS), plain)
    photo, drawn = (model.prepare(jpeg(seed=3), LIMITS) for model in (exact, direct))
    assert not np.array_equal(drawn, photo)
    assert np.abs(drawn - photo).max() < 1.5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_that_are_brought_to_a_format_beforehand_answer_bit_for_bit(tmp_path: Path, precision: str) -> None:
    folder = write_model(tmp_path / "model")
    about, how = Description.read(folder / "model.json"), choose_precision(precision, torch.device("cpu"))
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
    plain, before = (load_graph(load_network(folder, about), torch.device("cpu")) for _ in range(2))
    cast_weights(before, how)
    with torch.inference_mode(), how.autocast(torch.device("cpu")):
        for expected, found in zip(plain(pixels), before(pixels), strict=True):
            assert torch.equal(expected, found)
