"""What each architecture costs, and the files that torchvision publishes its weights as. Imports no torch.

``tests/ml/test_architecture_facts.py`` compares with what torchvision's own networks say.
"""

from dataclasses import dataclass

from ml.architectures import FAMILIES


@dataclass(frozen=True)
class ArchFacts:
    """Of torchvision's classifier of 1,000 classes; its head is exchanged for ours, which costs about the same."""

    parameters: int
    gmacs: float
    """Billions of multiplications with an addition that one photo of 224 pixels takes, forward."""
    outputs: float
    """Millions of numbers that its modules put out for one photo of 224 pixels: what training keeps."""
    own_size: int
    """Pixels of the photos that the published weights are meant for."""
    files: tuple[str, ...]
    """The default's first, as ``ml.fetch.weights`` takes them."""


FACTS: dict[str, ArchFacts] = {
    "resnet18": ArchFacts(11_689_512, 1.814, 7.48, 224, ("resnet18-f37072fd.pth",)),
    "resnet34": ArchFacts(21_797_672, 3.664, 11.24, 224, ("resnet34-b627a593.pth",)),
    "resnet50": ArchFacts(
        25_557_032,
        4.089,
        32.04,
        224,
        (
            "resnet50-11ad3fa6.pth",
            "resnet50-0676ba61.pth",
        ),
    ),
    "resnet101": ArchFacts(
        44_549_160,
        7.801,
        47.39,
        224,
        (
            "resnet101-cd907fc2.pth",
            "resnet101-63fe2227.pth",
        ),
    ),
    "resnet152": ArchFacts(
        60_192_808,
        11.514,
        66.36,
        224,
        (
            "resnet152-f82ba261.pth",
            "resnet152-394f9c45.pth",
        ),
    ),
    "resnext50_32x4d": ArchFacts(
        25_028_904,
        4.23,
        41.9,
        224,
        (
            "resnext50_32x4d-1a0047aa.pth",
            "resnext50_32x4d-7cdf4587.pth",
        ),
    ),
    "resnext101_32x8d": ArchFacts(
        88_791_336,
        16.414,
        92.33,
        224,
        (
            "resnext101_32x8d-110c445d.pth",
            "resnext101_32x8d-8ba56ff5.pth",
        ),
    ),
    "resnext101_64x4d": ArchFacts(83_455_272, 15.46, 92.33, 224, ("resnext101_64x4d-173b62eb.pth",)),
    "wide_resnet50_2": ArchFacts(
        68_883_240,
        11.398,
        41.9,
        224,
        (
            "wide_resnet50_2-9ba9bcbe.pth",
            "wide_resnet50_2-95faca4d.pth",
        ),
    ),
    "wide_resnet101_2": ArchFacts(
        126_886_696,
        22.753,
        62.37,
        224,
        (
            "wide_resnet101_2-d733dc28.pth",
            "wide_resnet101_2-32ee1156.pth",
        ),
    ),
    "convnext_tiny": ArchFacts(28_589_128, 4.456, 31.43, 224, ("convnext_tiny-983f1562.pth",)),
    "convnext_small": ArchFacts(50_223_688, 8.684, 50.39, 224, ("convnext_small-0c510722.pth",)),
    "convnext_base": ArchFacts(88_591_464, 15.355, 67.19, 224, ("convnext_base-6075fbad.pth",)),
    "convnext_large": ArchFacts(197_767_336, 34.361, 100.78, 224, ("convnext_large-ea097f82.pth",)),
    "efficientnet_b0": ArchFacts(5_288_548, 0.386, 19.87, 224, ("efficientnet_b0_rwightman-7f5810bc.pth",)),
    "efficientnet_b1": ArchFacts(
        7_794_184,
        0.57,
        27.7,
        240,
        (
            "efficientnet_b1-c27df63c.pth",
            "efficientnet_b1_rwightman-bac287d4.pth",
        ),
    ),
    "efficientnet_b2": ArchFacts(9_109_994, 0.659, 29.04, 288, ("efficientnet_b2_rwightman-c35c1473.pth",)),
    "efficientnet_b3": ArchFacts(12_233_232, 0.963, 38.51, 300, ("efficientnet_b3_rwightman-b3899882.pth",)),
    "efficientnet_b4": ArchFacts(19_341_616, 1.504, 50.6, 380, ("efficientnet_b4_rwightman-23ab8bcd.pth",)),
    "efficientnet_b5": ArchFacts(30_389_784, 2.356, 69.69, 456, ("efficientnet_b5_lukemelas-1a07897c.pth",)),
    "efficientnet_b6": ArchFacts(43_040_704, 3.36, 89.2, 528, ("efficientnet_b6_lukemelas-24a108a5.pth",)),
    "efficientnet_b7": ArchFacts(66_347_960, 5.17, 119.54, 600, ("efficientnet_b7_lukemelas-c5b4e57e.pth",)),
    "efficientnet_v2_s": ArchFacts(21_458_488, 2.85, 36.91, 384, ("efficientnet_v2_s-dd5fe13b.pth",)),
    "efficientnet_v2_m": ArchFacts(54_139_356, 5.362, 59.44, 480, ("efficientnet_v2_m-dc08266a.pth",)),
    "efficientnet_v2_l": ArchFacts(118_515_272, 12.231, 104.7, 480, ("efficientnet_v2_l-59c71312.pth",)),
    "mobilenet_v2": ArchFacts(
        3_504_872,
        0.301,
        19.46,
        224,
        (
            "mobilenet_v2-7ebf99e0.pth",
            "mobilenet_v2-b0353104.pth",
        ),
    ),
    "mobilenet_v3_small": ArchFacts(2_542_856, 0.057, 4.11, 224, ("mobilenet_v3_small-047dcff4.pth",)),
    "mobilenet_v3_large": ArchFacts(
        5_483_032,
        0.217,
        12.64,
        224,
        (
            "mobilenet_v3_large-5c1a4163.pth",
            "mobilenet_v3_large-8738ca79.pth",
        ),
    ),
    "regnet_x_400mf": ArchFacts(
        5_495_976,
        0.414,
        9.32,
        224,
        (
            "regnet_x_400mf-62229a5f.pth",
            "regnet_x_400mf-adf1edd5.pth",
        ),
    ),
    "regnet_x_800mf": ArchFacts(
        7_259_656,
        0.8,
        15.05,
        224,
        (
            "regnet_x_800mf-94a99ebd.pth",
            "regnet_x_800mf-ad17e45c.pth",
        ),
    ),
    "regnet_x_1_6gf": ArchFacts(
        9_190_136,
        1.603,
        23.32,
        224,
        (
            "regnet_x_1_6gf-a12f2b72.pth",
            "regnet_x_1_6gf-e3633e7f.pth",
        ),
    ),
    "regnet_x_3_2gf": ArchFacts(
        15_296_552,
        3.177,
        33.52,
        224,
        (
            "regnet_x_3_2gf-7071aa85.pth",
            "regnet_x_3_2gf-f342aeae.pth",
        ),
    ),
    "regnet_x_8gf": ArchFacts(
        39_572_648,
        7.995,
        41.5,
        224,
        (
            "regnet_x_8gf-2b70d774.pth",
            "regnet_x_8gf-03ceed89.pth",
        ),
    ),
    "regnet_x_16gf": ArchFacts(
        54_278_536,
        15.941,
        75.07,
        224,
        (
            "regnet_x_16gf-ba3796d7.pth",
            "regnet_x_16gf-2007eb11.pth",
        ),
    ),
    "regnet_x_32gf": ArchFacts(
        107_811_560,
        31.736,
        106.94,
        224,
        (
            "regnet_x_32gf-6eb8fdc6.pth",
            "regnet_x_32gf-9d47f8d0.pth",
        ),
    ),
    "regnet_y_400mf": ArchFacts(
        4_344_144,
        0.402,
        11.38,
        224,
        (
            "regnet_y_400mf-e6988f5f.pth",
            "regnet_y_400mf-c65dace8.pth",
        ),
    ),
    "regnet_y_800mf": ArchFacts(
        6_432_512,
        0.834,
        15.85,
        224,
        (
            "regnet_y_800mf-58fc7688.pth",
            "regnet_y_800mf-1b27b58c.pth",
        ),
    ),
    "regnet_y_1_6gf": ArchFacts(
        11_202_430,
        1.612,
        23.78,
        224,
        (
            "regnet_y_1_6gf-0d7bc02a.pth",
            "regnet_y_1_6gf-b11a554e.pth",
        ),
    ),
    "regnet_y_3_2gf": ArchFacts(
        19_436_338,
        3.176,
        33.21,
        224,
        (
            "regnet_y_3_2gf-9180c971.pth",
            "regnet_y_3_2gf-b5a9779c.pth",
        ),
    ),
    "regnet_y_8gf": ArchFacts(
        39_381_472,
        8.473,
        57.84,
        224,
        (
            "regnet_y_8gf-dc2b1b54.pth",
            "regnet_y_8gf-d0d0e4a8.pth",
        ),
    ),
    "regnet_y_16gf": ArchFacts(
        83_590_140,
        15.912,
        67.68,
        224,
        (
            "regnet_y_16gf-3e4a00f9.pth",
            "regnet_y_16gf-9e6ed7dd.pth",
            "regnet_y_16gf_swag-43afe44d.pth",
            "regnet_y_16gf_lc_swag-f3ec0043.pth",
        ),
    ),
    "regnet_y_32gf": ArchFacts(
        145_046_770,
        32.28,
        89.05,
        224,
        (
            "regnet_y_32gf-8db6d4b5.pth",
            "regnet_y_32gf-4dee3f7a.pth",
            "regnet_y_32gf_swag-04fdfa75.pth",
            "regnet_y_32gf_lc_swag-e1583746.pth",
        ),
    ),
    "regnet_y_128gf": ArchFacts(
        644_812_894,
        127.518,
        211.31,
        384,
        (
            "regnet_y_128gf_swag-c8ce3e52.pth",
            "regnet_y_128gf_lc_swag-cbe8ce12.pth",
        ),
    ),
    "swin_t": ArchFacts(28_288_354, 4.491, 27.51, 224, ("swin_t-704ceda3.pth",)),
    "swin_s": ArchFacts(49_606_258, 8.741, 43.77, 224, ("swin_s-5e29d889.pth",)),
    "swin_b": ArchFacts(87_768_224, 15.431, 58.36, 224, ("swin_b-68c6b09e.pth",)),
    "swin_v2_t": ArchFacts(28_351_570, 4.938, 30.04, 256, ("swin_v2_t-b137f0e2.pth",)),
    "swin_v2_s": ArchFacts(49_737_442, 9.695, 49.1, 256, ("swin_v2_s-637d8ceb.pth",)),
    "swin_v2_b": ArchFacts(87_930_848, 17.048, 63.62, 256, ("swin_v2_b-781e5279.pth",)),
    "vit_b_16": ArchFacts(
        86_567_656,
        17.564,
        31.32,
        224,
        (
            "vit_b_16-c867db91.pth",
            "vit_b_16_swag-9ac1b537.pth",
            "vit_b_16_lc_swag-4e70ced5.pth",
        ),
    ),
    "vit_b_32": ArchFacts(88_224_232, 4.409, 7.95, 224, ("vit_b_32-d86f8d99.pth",)),
    "vit_l_16": ArchFacts(
        304_326_632,
        61.555,
        82.91,
        224,
        (
            "vit_l_16-852ce7e3.pth",
            "vit_l_16_swag-4f3808c9.pth",
            "vit_l_16_lc_swag-4d563306.pth",
        ),
    ),
    "vit_l_32": ArchFacts(306_535_400, 15.378, 21.04, 224, ("vit_l_32-c7638314.pth",)),
    "vit_h_14": ArchFacts(
        633_470_440, 167.295, 179.94, 518, ("vit_h_14_swag-80465313.pth", "vit_h_14_lc_swag-c1eb923e.pth")
    ),
}

FAMILY_OF: dict[str, str] = {name: family for family, names in FAMILIES.items() for name in names}

USUAL_SIZE = 224
USUAL_ARCH = "resnet34"
_FLOAT = 4
_KEPT_PER_PARAMETER = 4
"""The weight, its gradient and the optimizer's two averages."""


def relative_cost(arch: str) -> float:
    """How many times as much computing as the default architecture a photo takes."""
    return FACTS[arch].gmacs / FACTS[USUAL_ARCH].gmacs


def estimated_memory(arch: str, *, size: int, batch_size: int) -> int:
    """Bytes that training everything in float32 holds, by the network's sizes alone: within a factor of two."""
    facts = FACTS[arch]
    outputs = facts.outputs * 1e6 * batch_size * (size / USUAL_SIZE) ** 2
    return round(_FLOAT * (_KEPT_PER_PARAMETER * facts.parameters + outputs))
