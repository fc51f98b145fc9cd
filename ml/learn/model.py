"""A pretrained body and the pooling head, in three parameter groups (workflow-spec 5)."""

from collections.abc import Iterator
from math import isqrt
from typing import cast

import torch
import torchvision
from torch import Tensor, nn

from ml.architecture_facts import FACTS
from ml.architectures import check_arch
from ml.errors import WeightsInvalid
from ml.learn.optimizer import ParameterGroup
from ml.learn.tokens import CLASS_TOKENS, Patches, TokenColumn, TokenPool, resampled

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_UNDECAYED = (*_BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, Patches)
"""Modules whose own parameters are not decayed: normalisation, and the embeddings of tokens."""
_PLACES = "encoder.pos_embedding"


class ConcatPool(nn.Module):
    """Global max and average pooling side by side, max first: [n,c,h,w] → [n,2c]."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool the two last dimensions."""
        return torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)


class BreedNet(nn.Sequential):
    """``body`` (child 0) and ``head`` (child 1). ``early`` is how many of the body's children form the first group."""

    def __init__(self, body: nn.Sequential, head: nn.Sequential, early: int) -> None:
        super().__init__(body, head)
        self.early = early

    @property
    def body(self) -> nn.Sequential:
        """All but pooling and classifier of the torchvision model."""
        return cast("nn.Sequential", self[0])

    @property
    def head(self) -> nn.Sequential:
        """Pooling and the new classifier."""
        return cast("nn.Sequential", self[1])

    @property
    def groups(self) -> tuple[list[nn.Module], list[nn.Module], list[nn.Module]]:
        """Early body, late body, head, each as the modules it consists of."""
        children = list(self.body.children())
        return children[: self.early], children[self.early :], [self.head]

    @property
    def unplaced(self) -> int:
        """How many rows of the body's map, from its first, are no place of the picture."""
        return CLASS_TOKENS if isinstance(self.head[0], TokenPool) else 0

    @property
    def read(self) -> int:
        """How many features the head's last layer reads."""
        return int(self.head[-1].weight.shape[1])  # type: ignore[index]

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n,classes] as calling gives them, and features [n,pooled + read].

        The features are those of two places side by side: what the pooling gives, and what the last layer reads.
        """
        return outputs_of_pooled(self.head, self.pooled(images))

    def pooled(self, images: Tensor) -> Tensor:
        """What the head's first two modules make of the body's maps: [n,pooled]."""
        pool, flat, *_ = self.head
        pooled: Tensor = flat(pool(self.body(images)))
        return pooled

    def fit(self, size: int) -> None:
        """Have it take pictures of ``size`` pixels alone, without work that is the same for each; not to be trained."""
        first = next(iter(self.body), None)
        if isinstance(first, Patches):
            first.fit(size)

    def freeze_body(self, frozen: bool) -> None:
        """Fix the body's parameters, all but those of BatchNorm, or free them all.

        The body stays in training mode, so that BatchNorm's running statistics move while frozen.
        """
        for module in self.body.modules():
            trainable = not frozen or isinstance(module, _BATCH_NORMS)
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(trainable)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The three groups; normalisation layers and biases are not decayed."""
        return [_parameter_group(modules) for modules in self.groups]

    def layer_groups(self, decay: float) -> list[ParameterGroup]:
        """The body's children and the head, each at ``decay`` times the share of the one behind it; the head has 1."""
        learning = [
            (child, 0 if place < self.early else 1)
            for place, child in enumerate(self.body.children())
            if any(True for _ in child.parameters())
        ]
        groups = [_parameter_group([child], number) for child, number in learning]
        groups.append(_parameter_group([self.head], len(self.groups) - 1))
        for depth, group in enumerate(reversed(groups)):
            group.share = decay**depth
        return groups


def outputs_of_pooled(head: nn.Sequential, pooled: Tensor) -> tuple[Tensor, Tensor]:
    """The rest of ``BreedNet.outputs``: from [n,pooled] to logits and features."""
    _, _, *between, last = head
    read = pooled
    for module in between:
        read = module(read)
    return last(read), torch.cat([pooled, read], 1)


def build_model(arch: str, classes: int, state: dict[str, Tensor] | None) -> BreedNet:
    """Cut a torchvision classifier and give it a new head, drawn from torch's global generator.

    Args:
        arch: a torchvision name of the ResNet, ConvNeXt, EfficientNet, MobileNet, RegNet, Swin or ViT families.
        classes: outputs of the head.
        state: the classifier's pretrained tensors, or None for random weights.

    Raises:
        UnknownArch: the name is of none of these families.
        WeightsInvalid: ``state`` lacks tensors of the body or has other shapes.
    """
    check_arch(arch)
    original = _original(arch)
    if state is not None:
        _load_body(original, state, arch)
    body, early, features = _cut(original, arch)
    return BreedNet(body, make_head(features, classes, TokenPool() if is_vit(arch) else ConcatPool()), early)


def is_vit(arch: str) -> bool:
    """Whether its body puts out tokens, not places alone."""
    return arch.startswith("vit")


def _original(arch: str) -> nn.Module:
    """Torchvision's own; a vision transformer with the grid of its usual published weights."""
    more = {"image_size": FACTS[arch].own_size} if is_vit(arch) else {}
    network: nn.Module = torchvision.models.get_model(arch, weights=None, **more)
    return network


def check_trained(arch: str, classes: int, state: dict[str, Tensor], name: str) -> None:
    """Refuse the tensors of a trained model, read from the file ``name``, that are not this arch's with these classes.

    Raises:
        UnknownArch: the arch is of no supported family.
        WeightsInvalid: with a tensor that tells.
    """
    with torch.random.fork_rng(devices=[]):
        wanted = build_model(arch, classes, None).state_dict()
    for tensor in sorted(wanted.keys() | state.keys()):
        here = list(state[tensor].shape) if tensor in state else "missing"
        there = list(wanted[tensor].shape) if tensor in wanted else "missing"
        if here != there:
            detail = f"{name} is not a trained {arch} of {classes} breeds: {tensor} is {here}, it should be {there}"
            raise WeightsInvalid(detail, hint="Set arch to that of the run, and give it the breeds that it learned.")


def make_head(features: int, classes: int, pool: nn.Module) -> nn.Sequential:
    """Pool, BatchNorm, dropout .25, linear to 512, ReLU, BatchNorm, dropout .5, linear; no biases in the linears."""
    head = nn.Sequential(
        pool,
        nn.Flatten(),
        nn.BatchNorm1d(2 * features),
        nn.Dropout(0.25),
        nn.Linear(2 * features, 512, bias=False),
        nn.ReLU(inplace=True),
        nn.BatchNorm1d(512),
        nn.Dropout(0.5),
        nn.Linear(512, classes, bias=False),
    )
    for module in head:
        if isinstance(module, nn.BatchNorm1d):
            nn.init.constant_(module.bias, 1e-3)
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return head


def classifier_prefix(arch: str) -> str:
    """The name of the part that is cut off, as a prefix of its tensors' names."""
    if arch.startswith(("resnet", "resnext", "wide_resnet", "regnet")):
        return "fc."
    if is_vit(arch):
        return "heads."
    return "head." if arch.startswith("swin") else "classifier."


def _cut(model: nn.Module, arch: str) -> tuple[nn.Sequential, int, int]:
    """Body, children in its first group, channels that it puts out."""
    features = _first_linear(model.get_submodule(classifier_prefix(arch).rstrip("."))).in_features
    if arch.startswith(("resnet", "resnext", "wide_resnet")):
        return nn.Sequential(*list(model.children())[:-2]), 6, features
    if arch.startswith("regnet"):
        trunk = list(model.get_submodule("trunk_output").children())
        return nn.Sequential(model.get_submodule("stem"), *trunk), 3, features
    if arch.startswith("swin"):
        stages = list(model.get_submodule("features").children())
        return nn.Sequential(*stages, model.get_submodule("norm"), model.get_submodule("permute")), 4, features
    if is_vit(arch):
        layers = list(model.get_submodule("encoder.layers").children())
        first = Patches(
            cast("nn.Conv2d", model.get_submodule("conv_proj")),
            model.get_parameter("class_token"),
            model.get_parameter(_PLACES),
        )
        body = nn.Sequential(first, *layers, model.get_submodule("encoder.ln"), TokenColumn())
        return body, 1 + len(layers) // 2, features
    stages = list(model.get_submodule("features").children())
    return nn.Sequential(*stages), len(stages) // 2, features


def _first_linear(module: nn.Module) -> nn.Linear:
    return next(m for m in module.modules() if isinstance(m, nn.Linear))


def _load_body(model: nn.Module, state: dict[str, Tensor], arch: str) -> None:
    cut_off = classifier_prefix(arch)
    wanted = {n: t for n, t in model.state_dict().items() if not n.startswith(cut_off)}
    if is_vit(arch):
        state = _as_built(state, wanted)
    usable = {n: t for n, t in state.items() if n in wanted and t.shape == wanted[n].shape}
    lacking = [n for n in wanted if n not in usable and not n.endswith("num_batches_tracked")]
    if lacking:
        detail = f"the weights are missing {len(lacking)} of {len(wanted)} tensors of {arch}, such as {lacking[0]!r}"
        raise WeightsInvalid(detail, hint=f"Give a file of torchvision's {arch}.")
    model.load_state_dict(usable, strict=False)


def _as_built(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """A vision transformer's tensors by today's names and for this network's grid.

    The published files are older than these names of torchvision's, or are for other sizes of photos.
    """
    named = {n.replace("mlp.linear_1.", "mlp.0.").replace("mlp.linear_2.", "mlp.3."): t for n, t in state.items()}
    places = named.get(_PLACES)
    if places is None or not _is_grid_like(places, wanted[_PLACES]):
        return named
    side = isqrt(wanted[_PLACES].shape[1])
    return named | {_PLACES: resampled(places, side, side)}


def _is_grid_like(places: Tensor, wanted: Tensor) -> bool:
    """Whether these are embeddings of a class token and a square grid, as long as the wanted ones."""
    if places.dim() != wanted.dim() or (places.shape[0], places.shape[2]) != (wanted.shape[0], wanted.shape[2]):
        return False
    return isqrt(places.shape[1]) ** 2 + 1 == places.shape[1]


def _parameter_group(modules: list[nn.Module], number: int | None = None) -> ParameterGroup:
    group = ParameterGroup([], [], number)
    for parameter, plain in _parameters_with_kind(modules):
        (group.plain if plain else group.decayed).append(parameter)
    return group


def _parameters_with_kind(modules: list[nn.Module]) -> Iterator[tuple[Tensor, bool]]:
    for top in modules:
        for module in top.modules():
            for name, parameter in module.named_parameters(recurse=False):
                yield parameter, isinstance(module, _UNDECAYED) or name.endswith("bias")
