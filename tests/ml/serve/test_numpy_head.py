"""The head by numpy is torch's, for bodies of any width; one of another kind is refused and not computed wrongly."""

import numpy as np
import pytest
import torch
from torch import nn

from ml.learn.model import ConcatPool, make_head, outputs_of_pooled
from ml.serve.numpy_head import NumpyHead


@pytest.mark.parametrize("features", [48, 512, 768])
@pytest.mark.parametrize("pictures", [1, 3])
def test_it_puts_out_what_torch_does(pictures: int, features: int) -> None:
    torch.manual_seed(0)
    head = make_head(features, 37, ConcatPool())
    norms = [module for module in head if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        for tensor in norm.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 2.0)
    assert len(norms) == 2
    pooled = torch.randn(pictures, 2 * features)
    with torch.inference_mode():
        logits, seen = outputs_of_pooled(head.eval(), pooled)
    found = NumpyHead(head).outputs(pooled.numpy())
    assert found.logits == pytest.approx(logits.numpy(), rel=1e-4, abs=1e-4)
    assert found.features == pytest.approx(seen.numpy(), rel=1e-4, abs=1e-4)
    assert found.logits.dtype == found.features.dtype == np.float32


def test_an_unknown_layer_is_refused() -> None:
    head = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Softmax(1), nn.Linear(4, 2))
    with pytest.raises(TypeError, match="Softmax"):
        NumpyHead(head)
