"""Random numbers that depend only on the run's seed and where they are used, so that a resume needs no stored state."""

import hashlib

import torch
from torch import Generator


def derive_seed(seed: int, purpose: str, number: int = 0) -> int:
    """An independent 63-bit seed for one use: the n-th step's augmentation, the m-th epoch's order."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, number: int = 0) -> Generator:
    """A CPU generator for one use."""
    return torch.Generator().manual_seed(derive_seed(seed, purpose, number))


def seed_torch(seed: int, purpose: str, number: int = 0) -> None:
    """Set torch's global generators (dropout, initialisation) for one use."""
    torch.manual_seed(derive_seed(seed, purpose, number))
