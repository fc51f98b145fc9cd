import torch

from ml.learn.averaging import WeightAverage
from ml.learn.model import build_model


def test_the_mean_follows_the_decay_and_forgets_the_first_weights_early() -> None:
    torch.manual_seed(0)
    model = build_model("resnet18", 3, None)
    average = WeightAverage(model, 0.9)
    expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for step in range(1, 31):
        with torch.no_grad():
            for tensor in model.state_dict().values():
                tensor.add_(1)
        average.stepped(model, step)
        decay = min(0.9, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            mean = expected[name].lerp(tensor, 1 - decay) if tensor.is_floating_point() else tensor.clone()
            expected[name] = mean
    for name, tensor in average.model.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


def test_the_model_itself_stays_as_it_is() -> None:
    model = build_model("resnet18", 3, None)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    WeightAverage(model, 0.99).stepped(model, 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
