import pytest
import torchvision

from ml.architectures import ARCHITECTURES, check_arch
from ml.errors import UnknownArch

PREFIXES = ("resnet", "resnext", "wide_resnet", "convnext", "efficientnet", "mobilenet", "regnet", "swin", "vit")


def test_the_list_is_exactly_torchvisions_classifiers_of_the_families() -> None:
    published = torchvision.models.list_models(module=torchvision.models)
    assert {name for name in published if name.startswith(PREFIXES)} == ARCHITECTURES


def test_a_typing_mistake_is_answered_with_the_near_names() -> None:
    with pytest.raises(UnknownArch) as caught:
        check_arch("resnet43")
    assert "'resnet43'" in caught.value.detail
    assert "resnet34" in str(caught.value.hint)


def test_something_else_is_answered_with_the_families() -> None:
    with pytest.raises(UnknownArch) as caught:
        check_arch("x")
    assert "ConvNeXt" in str(caught.value.hint)


def test_every_supported_name_passes() -> None:
    for name in ARCHITECTURES:
        check_arch(name)
