"""A whole small service: real servers and workers, a body whose weights are drawn by lot, pictures of three colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torchvision.models import mobilenet_v2

from tests.cli.pictures import draw_pictures
from tests.cli.test_up import environment, up

ARCH = "mobilenet_v2"


@dataclass(frozen=True)
class SmallService:
    """Where it answers, its pictures, and the environment in which a command finds it."""

    url: str
    pictures: Path
    environment: dict[str, str]


@contextmanager
def small_service(folder: Path) -> Iterator[SmallService]:
    """Start it, with nothing in it."""
    data, pictures = folder / "data", draw_pictures(folder / "pictures", each=30)
    (data / "weights").mkdir(parents=True)
    torch.manual_seed(1)
    save_file(mobilenet_v2().state_dict(), data / "weights" / f"{ARCH}.safetensors")
    with up(data) as started:
        yield SmallService(str(started.wait()["url"]), pictures, environment(data))
