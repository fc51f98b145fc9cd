"""A trained network as one graph: a picture's bytes in, logits and features out."""

import torch
from torch import Tensor, nn

from ml.augment.lighting import MEAN, STD
from ml.learn.model import BreedNet


class ServedGraph(nn.Module):
    """``network`` in evaluation mode with all that stands before it once a picture has the model's size.

    Its input is uint8 or float [n,size,size,3] in 0-255. It puts out float32 logits [n,classes], and float32 features
    [n,features]: what the pooling gives, and after it the 512 that the head's last layer reads. By them it is judged
    whether a picture shows anything known (``ml.judge.familiarity``).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: BreedNet) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        # Its own, where ``normalise`` keeps what it first made: in an export that would be a stand-in without values.
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """From pixels to (logits, features)."""
        return self.of_input((pixels.permute(0, 3, 1, 2).float().div(255) - self.mean) / self.std)

    def of_input(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The same from normalised images [n,3,size,size]."""
        logits, features = self.network.outputs(images)
        return logits.float(), features.float()


def load_graph(network: BreedNet, device: torch.device) -> ServedGraph:
    """On the device, channels last in memory."""
    return ServedGraph(network).to(device).to(memory_format=torch.channels_last)
