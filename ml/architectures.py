"""Which architectures can be trained, by torchvision's own names. Imports no torch: the API refuses early."""

from difflib import get_close_matches

from ml.errors import UnknownArch

FAMILIES: dict[str, tuple[str, ...]] = {
    "ResNet": (
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x8d",
        "resnext101_64x4d",
        "wide_resnet50_2",
        "wide_resnet101_2",
    ),
    "ConvNeXt": ("convnext_tiny", "convnext_small", "convnext_base", "convnext_large"),
    "EfficientNet": (
        *(f"efficientnet_b{scale}" for scale in range(8)),
        "efficientnet_v2_s",
        "efficientnet_v2_m",
        "efficientnet_v2_l",
    ),
    "MobileNet": ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    "RegNet": (
        *(f"regnet_x_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")),
        *(f"regnet_y_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf", "128gf")),
    ),
    "Swin": ("swin_t", "swin_s", "swin_b", "swin_v2_t", "swin_v2_s", "swin_v2_b"),
    "ViT": ("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"),
}
"""The supported families and their members."""

ARCHITECTURES: frozenset[str] = frozenset(name for names in FAMILIES.values() for name in names)


def check_arch(name: str) -> None:
    """Accept the name of a supported architecture.

    Raises:
        UnknownArch: the name is none of ``ARCHITECTURES``; the hint names the nearest ones.
    """
    if name in ARCHITECTURES:
        return
    near = get_close_matches(name.lower(), sorted(ARCHITECTURES), n=3, cutoff=0.6)
    families = ", ".join(FAMILIES)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Name a torchvision classifier of {families}."
    raise UnknownArch(f"there is no architecture {name!r} here", hint=hint)
