from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model, get_model_weights

from ml.architecture_facts import FACTS, FAMILY_OF, estimated_memory, relative_cost
from ml.architectures import ARCHITECTURES
from ml.fetch.weights import find_weights
from ml.weights_found import FoundWeights, torch_cache, weights_found


def test_every_architecture_has_facts_and_a_family() -> None:
    assert set(FACTS) == set(FAMILY_OF) == ARCHITECTURES


@pytest.mark.parametrize("arch", sorted(ARCHITECTURES))
def test_the_facts_that_torchvision_publishes_are_its_own(arch: str) -> None:
    entries = get_model_weights(arch)
    facts, default = FACTS[arch], entries.DEFAULT
    assert facts.parameters == default.meta["num_params"]
    assert [facts.own_size] == default.transforms().crop_size
    names = {entry.url.rsplit("/", 1)[-1] for entry in entries}
    assert facts.files[0] == default.url.rsplit("/", 1)[-1]
    assert set(facts.files) == names
    if facts.own_size == 224:
        assert facts.gmacs == pytest.approx(default.meta["_ops"], rel=0.001)


@pytest.mark.parametrize("arch", ["resnet18", "efficientnet_b1", "mobilenet_v3_small", "swin_v2_t", "vit_h_14"])
def test_what_is_counted_of_a_network_is_what_a_photo_of_224_pixels_takes(arch: str) -> None:
    with torch.device("meta"):
        model = get_model(arch, weights=None).eval()
    put_out = 0

    def count(_module: nn.Module, _given: object, output: Tensor) -> None:
        nonlocal put_out
        put_out += output.numel()

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), flops:
        model(torch.empty(1, 3, 224, 224, device="meta"))
    assert FACTS[arch].gmacs == pytest.approx(flops.get_total_flops() / 2e9, abs=0.001)
    assert FACTS[arch].outputs == pytest.approx(put_out / 1e6, abs=0.01)


def test_costs_are_relative_to_the_default_and_memory_grows_with_the_batch() -> None:
    assert relative_cost("resnet34") == 1
    assert relative_cost("resnet18") == pytest.approx(1.814 / 3.664)
    small, large = (estimated_memory("resnet34", size=224, batch_size=n) for n in (32, 64))
    assert large - small == pytest.approx(4 * 32 * 11.24e6)
    assert estimated_memory("resnet34", size=112, batch_size=64) < small


def test_what_is_found_is_what_a_training_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    cache, folder = torch_cache(), tmp_path / "weights"
    assert cache == Path(torch.hub.get_dir()) / "checkpoints"
    cache.mkdir(parents=True)
    folder.mkdir()
    assert weights_found(folder) == {}
    for path in (
        cache / FACTS["resnet34"].files[0],
        folder / FACTS["resnet50"].files[1],
        folder / "resnet18.safetensors",
    ):
        path.touch()
    (folder / FACTS["resnet18"].files[0]).touch()
    found = weights_found(folder)
    assert found == {
        "resnet18": FoundWeights("folder", "resnet18.safetensors"),
        "resnet34": FoundWeights("torch_cache", FACTS["resnet34"].files[0]),
        "resnet50": FoundWeights("folder", FACTS["resnet50"].files[1]),
    }
    for arch, one in found.items():
        assert find_weights(arch, folder).path.name == one.file
    assert set(weights_found(None)) == {"resnet34"}
