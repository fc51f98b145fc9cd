"""A vision transformer's body is torchvision's own, at its own size and at others."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import get_model

from ml.errors import WeightsInvalid
from ml.learn.model import build_model
from ml.learn.tokens import Patches, TokenPool, cubic, resampled

ARCH = "vit_b_32"
SIDE, GRID = 224, 7


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """As a file of torchvision's has them; its embeddings of places are far from 0, so that they tell."""
    torch.manual_seed(0)
    state: dict[str, Tensor] = get_model(ARCH, weights=None).state_dict()
    return state | {"encoder.pos_embedding": torch.randn(1, 1 + GRID**2, 768), "class_token": torch.randn(1, 1, 768)}


def test_at_its_own_size_the_class_token_and_the_patches_are_torchvision_s(published: dict[str, Tensor]) -> None:
    theirs = get_model(ARCH, weights=None).eval()
    theirs.load_state_dict(published)
    seen: list[Tensor] = []
    theirs.encoder.register_forward_hook(lambda _, __, tokens: seen.append(tokens))
    images = torch.randn(2, 3, SIDE, SIDE)
    model = build_model(ARCH, 5, published).eval()
    with torch.no_grad():
        theirs(images)
        ours = model.body(images)
        pooled = model.pooled(images)
    (tokens,) = seen
    assert ours.shape == (2, 768, 1 + GRID**2, 1)
    torch.testing.assert_close(ours.squeeze(3).transpose(1, 2), tokens, atol=1e-4, rtol=1e-4)
    wanted = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1)
    torch.testing.assert_close(pooled, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [64, 100, 288])
def test_any_size_is_taken_and_what_is_less_than_a_patch_left_out(published: dict[str, Tensor], size: int) -> None:
    model = build_model(ARCH, 5, published).eval()
    images = torch.randn(1, 3, size, size)
    with torch.no_grad():
        assert model.body(images).shape == (1, 768, 1 + (size // 32) ** 2, 1)
        whole = size // 32 * 32
        torch.testing.assert_close(model(images), model(images[:, :, :whole, :whole]))


def test_places_on_another_grid_keep_the_class_token_and_what_varies_slowly() -> None:
    across = torch.linspace(-1, 1, 14).expand(14, 14)
    places = torch.stack([across, across.T, torch.full((14, 14), 3.0)]).flatten(1).T.unsqueeze(0)
    places = torch.cat([torch.tensor([[[7.0, 8.0, 9.0]]]), places], 1)
    assert resampled(places, 14, 14) is places
    for rows, columns in ((8, 8), (20, 18)):
        drawn = resampled(places, rows, columns)
        assert drawn.shape == (1, 1 + rows * columns, 3)
        assert torch.equal(drawn[:, 0], places[:, 0])
        right, down, even = drawn[0, 1:].T.reshape(3, rows, columns)
        torch.testing.assert_close(even, torch.full((rows, columns), 3.0))
        assert bool((right.diff(dim=1) > 0).all())
        assert bool((down.diff(dim=0) > 0).all())


@pytest.mark.parametrize(("side", "count"), [(7, 1), (7, 3), (7, 7), (7, 9), (14, 24), (37, 16), (1, 4)])
def test_the_matrix_is_torch_s_bicubic(side: int, count: int) -> None:
    lines = torch.randn(1, 1, side, side, dtype=torch.float64)
    matrix = torch.from_numpy(cubic(side, count)).double()
    wanted = functional.interpolate(lines, (count, count), mode="bicubic", align_corners=False)
    torch.testing.assert_close((matrix @ lines @ matrix.T).squeeze(), wanted.squeeze(), atol=1e-5, rtol=1e-5)


def test_a_network_that_is_fitted_to_a_size_answers_as_before(published: dict[str, Tensor]) -> None:
    model = build_model(ARCH, 5, published).eval()
    images = torch.randn(3, 3, 100, 100)
    with torch.no_grad():
        before = model(images)
        names = model.state_dict().keys()
        model.fit(100)
        assert torch.equal(model(images), before)
        assert model.state_dict().keys() == names
        with pytest.raises(RuntimeError):
            model(torch.randn(1, 3, 224, 224))


@pytest.mark.parametrize("size", [96, 224])
def test_what_is_traced_takes_any_number_of_pictures_and_is_fitted_first(size: int) -> None:
    patches = Patches(nn.Conv2d(3, 8, 32, 32), nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 50, 8)))
    two, three = torch.randn(2, 3, size, size), torch.randn(3, 3, size, size)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        with pytest.raises(RuntimeError, match="fit it to a size first"):
            torch.jit.trace(patches, (two,), check_trace=False)  # type: ignore[no-untyped-call]
        wanted = patches(three)
        patches.fit(size)
        traced = torch.jit.trace(patches, (two,), check_trace=False)  # type: ignore[no-untyped-call]
        torch.testing.assert_close(traced(three), wanted)
        torch.testing.assert_close(traced(three[:1]), wanted[:1])


def test_the_embeddings_learn_at_another_size_after_a_validation_there(published: dict[str, Tensor]) -> None:
    model = build_model(ARCH, 5, published)
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        model.eval()(images)
    with torch.autocast("cpu", torch.bfloat16):
        model.train()(images).float().square().sum().backward()
    gradient = model.body[0].places.grad
    assert isinstance(gradient, Tensor)
    assert bool(gradient.abs().sum((0, 2)).gt(0).all())


def test_published_weights_of_other_sizes_are_taken(published: dict[str, Tensor]) -> None:
    places = torch.randn(1, 1 + 12**2, 768)
    model = build_model(ARCH, 5, published | {"encoder.pos_embedding": places})
    assert torch.equal(model.body.state_dict()["0.places"], resampled(places, GRID, GRID))


def test_the_names_of_files_that_torchvision_published_before_are_taken(published: dict[str, Tensor]) -> None:
    old = {n.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): t for n, t in published.items()}
    assert old.keys() != published.keys()
    theirs = get_model(ARCH, weights=None)
    theirs.load_state_dict(old)
    new, before = (build_model(ARCH, 5, state).body.state_dict() for state in (published, old))
    assert all(torch.equal(new[name], before[name]) for name in new)


@pytest.mark.parametrize("shape", [(1, 49, 768), (50, 768), (1, 1, 768), (1, 0, 768), (1, 145, 9), (2, 145, 768)])
def test_places_that_are_no_square_grid_of_this_network_are_refused(
    published: dict[str, Tensor], shape: tuple[int, ...]
) -> None:
    with pytest.raises(WeightsInvalid, match=r"such as 'encoder.pos_embedding'"):
        build_model(ARCH, 5, published | {"encoder.pos_embedding": torch.zeros(shape)})


def test_embeddings_are_not_decayed_and_the_layers_part_into_early_and_late() -> None:
    model = build_model(ARCH, 5, None)
    early, late, _ = model.parameter_groups()
    plain = {id(one) for one in early.plain}
    first = model.body[0]
    assert isinstance(first.projection, nn.Conv2d)
    assert {id(first.class_token), id(first.places)} <= plain
    assert id(first.projection.weight) not in plain
    assert sum(one.numel() for one in early.decayed) < sum(one.numel() for one in late.decayed) * 1.1
    assert [group.number for group in model.layer_groups(0.5)] == [0] * 7 + [1] * 7 + [2]


def test_the_pool_tells_the_class_token_from_the_patches() -> None:
    column = torch.tensor([[[[5.0], [1.0], [2.0], [6.0]]]])
    assert TokenPool()(column).tolist() == [[5.0, 3.0]]
