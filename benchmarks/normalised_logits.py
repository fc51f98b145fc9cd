"""A training whose logits are divided by how far the features lie from the boundaries between breeds (ELogitNorm).

    python -m benchmarks.normalised_logits PHOTOS --out RUN [what `python -m ml train` takes besides]

The loss of Ding et al. 2025, "Enhancing Out-of-Distribution Detection with Extended Logit Normalization":
cross-entropy of z / D, where D is the mean distance of what the last layer reads from the planes on which another
breed's logit equals the largest one. Pedigree has no such loss; this is for ``known_or_not``, which reads RUN as any
other run.
"""

import sys

from torch import Tensor, nn

from ml.command import main as command
from ml.learn import setup
from ml.learn.model import BreedNet, build_model


class NormalisedLast(nn.Linear):
    """A last layer whose logits are divided by D, at training and after it."""

    def forward(self, x: Tensor) -> Tensor:
        """[n,features] to [n,breeds]."""
        logits = super().forward(x)
        return logits / mean_distance(logits, self.weight).unsqueeze(1)


def mean_distance(logits: Tensor, weight: Tensor) -> Tensor:
    """Of each row of [n,breeds] the mean distance from the boundaries of its largest logit's breed: [n]."""
    first = logits.argmax(1)
    ahead = logits.gather(1, first.unsqueeze(1)) - logits
    lines = weight.float()
    apart = (lines.unsqueeze(1) - lines).square().sum(2).clamp_min(1e-12).sqrt()[first]
    return (ahead.float() / apart).sum(1) / (len(weight) - 1) + 1e-6


def build(arch: str, classes: int, state: dict[str, Tensor] | None) -> BreedNet:
    """``build_model`` with that last layer, of the same first weights."""
    network = build_model(arch, classes, state)
    plain = network.head[-1]
    last = NormalisedLast(network.read, classes, bias=False)
    last.load_state_dict(plain.state_dict())
    network.head[-1] = last
    return network


def main() -> int:
    """Train with the other last layer."""
    setattr(setup, "build_model", build)  # noqa: B010 - mypy knows no such name there: it is only imported
    sys.argv[1:1] = ["train"]
    return command()


if __name__ == "__main__":
    sys.exit(main())
