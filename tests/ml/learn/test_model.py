from typing import Any

import pytest
import torch
from torch import nn

from ml.errors import UnknownArch, WeightsInvalid
from ml.learn.model import BreedNet, build_model, check_trained
from tests.ml.facts import cases

FAMILIES = (
    "resnet18",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "regnet_x_400mf",
    "convnext_tiny",
    "swin_t",
    "vit_b_32",
)


@pytest.mark.parametrize("case", cases("models"), ids=lambda case: case["arch"])
def test_the_model_is_fastai_s_in_shape_count_and_groups(case: dict[str, Any]) -> None:
    model = build_model(case["arch"], case["classes"], None)
    assert sum(p.numel() for p in model.parameters()) == case["total"]
    assert [[n, list(p.shape)] for n, p in model.head.named_parameters()] == case["head"]
    assert sum(p.numel() for p in model.head.parameters()) == case["head_total"]
    assert [type(m).__name__ for m in model.body] == case["body_children"]
    ours = {"AdaptiveConcatPool2d": "ConcatPool"}
    assert [type(m).__name__ for m in model.head] == [ours.get(name, name) for name in case["head_layers"]]
    names = {id(p): n for n, p in model.named_parameters()}
    model.freeze_body(frozen=True)
    for modules, group, expected in zip(model.groups, model.parameter_groups(), case["groups"], strict=True):
        ordered = [p for m in modules for p in m.parameters()]
        assert len(ordered) == expected["tensors"] == len(group.decayed) + len(group.plain)
        assert sum(p.numel() for p in ordered) == expected["params"]
        assert [names[id(ordered[0])], names[id(ordered[-1])]] == [expected["first"], expected["last"]]
        trainable = [p for p in ordered if p.requires_grad]
        assert len(trainable) == expected["frozen_trainable_tensors"]
        assert sum(p.numel() for p in trainable) == expected["frozen_trainable_params"]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert sum(p.requires_grad for m in norms for p in m.parameters()) == case["force_train_tensors"]
    assert sum(len(g.plain) for g in model.parameter_groups()) == case["no_weight_decay_tensors"]
    norm = model.head[2]
    assert isinstance(norm, nn.BatchNorm1d)
    assert set(norm.weight.tolist()) == {case["head_bn"]["weight"]}
    assert norm.bias.tolist() == pytest.approx([case["head_bn"]["bias"]] * len(norm.bias))
    assert (norm.eps, norm.momentum) == (case["head_bn"]["eps"], case["head_bn"]["momentum"])
    deviations = [m.weight.std().item() for m in model.head if isinstance(m, nn.Linear)]
    assert deviations == pytest.approx(case["head_lin_std_expected"], rel=0.03)
    assert deviations == pytest.approx(case["head_lin_std"], rel=0.03)


def test_unfreezing_frees_every_parameter() -> None:
    model = build_model("resnet18", 3, None)
    model.freeze_body(frozen=True)
    assert not all(p.requires_grad for p in model.parameters())
    model.freeze_body(frozen=False)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("arch", FAMILIES)
def test_every_family_trains_a_step_in_three_groups(arch: str) -> None:
    model = build_model(arch, 5, None)
    assert all(len(g.decayed) + len(g.plain) > 0 for g in model.parameter_groups())
    logits = model(torch.randn(2, 3, 64, 64))
    assert logits.shape == (2, 5)
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_each_layer_learns_at_a_share_of_the_one_behind_it() -> None:
    model = build_model("resnet18", 3, None)
    groups = model.layer_groups(0.5)
    # conv, BatchNorm, four stages and the head; conv to the second stage are the early body
    assert [group.share for group in groups] == [0.5**depth for depth in range(6, -1, -1)]
    assert [group.number for group in groups] == [0, 0, 0, 0, 1, 1, 2]
    members = [parameter for group in groups for parameter in (*group.decayed, *group.plain)]
    assert {id(parameter) for parameter in members} == {id(parameter) for parameter in model.parameters()}
    assert len(members) == len(list(model.parameters()))


def test_the_body_takes_pretrained_values_and_the_classifier_is_left_out() -> None:
    donor = _state(build_model("resnet18", 3, None))
    model = build_model("resnet18", 3, donor | {"fc.weight": torch.zeros(9, 9)})
    assert torch.equal(model.body.state_dict()["0.weight"], donor["conv1.weight"])


def test_incomplete_weights_are_refused_by_name() -> None:
    donor = _state(build_model("resnet18", 3, None))
    del donor["layer1.0.conv1.weight"]
    with pytest.raises(
        WeightsInvalid, match=r"are missing 1 of \d+ tensors of resnet18, such as 'layer1.0.conv1.weight'"
    ):
        build_model("resnet18", 3, donor)


def test_an_architecture_of_no_supported_family_is_refused() -> None:
    for arch in ("vgg11", "vit_b_9", "googlenet", "deeplabv3_resnet50", "resnet99"):
        with pytest.raises(UnknownArch, match=arch):
            build_model(arch, 3, None)


@pytest.mark.parametrize("arch", ["mobilenet_v3_small", "regnet_x_400mf"])
def test_a_trained_model_s_own_tensors_are_accepted(arch: str) -> None:
    state = build_model(arch, 3, None).state_dict()
    before = torch.get_rng_state()
    check_trained(arch, 3, state, "model.safetensors")
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(WeightsInvalid, match=r"1\.8\.weight is \[3, 512\], it should be \[4, 512\]"):
        check_trained(arch, 4, state, "model.safetensors")
    with pytest.raises(WeightsInvalid, match=r"more is .*, it should be missing"):
        check_trained(arch, 3, state | {"more": torch.zeros(1)}, "model.safetensors")


def _state(model: BreedNet) -> dict[str, torch.Tensor]:
    names = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    found = {}
    for name, tensor in model.body.state_dict().items():
        child, _, rest = name.partition(".")
        found[f"{names[int(child)]}.{rest}"] = tensor.clone()
    return found
