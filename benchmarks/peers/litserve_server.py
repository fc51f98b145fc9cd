"""A breed classifier behind LitServe, as its documentation recommends: what ``predict_vs_litserve`` compares with.

    PORT=8190 BF16=0 THREADS=2 ENV/bin/python benchmarks/peers/litserve_server.py

Run by an environment of its own that has litserve, torch and torchvision. ``POST /predict`` takes the picture in the
form's part `file`; pictures that wait together are one batch, of 16 at most, for which 5 ms are waited. The weights are
random, which costs the same. With BF16=1 the network runs in bf16, channels last, as someone does who looks for speed.
"""

import io
import os

import litserve
import torch
from PIL import Image
from starlette.requests import Request
from torchvision.models import get_model
from torchvision.transforms.v2 import functional

BREEDS, SIDE, PRESIZE = 37, 224, 256
BATCH, WAIT_SECONDS = 16, 0.005
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BF16 = os.environ.get("BF16") == "1"


class BreedApi(litserve.LitAPI):
    """Decode each picture, one pass for those that wait together, an answer each."""

    def setup(self, device: str) -> None:
        """In the process that answers."""
        torch.set_num_threads(int(os.environ.get("THREADS", "2")))
        network = get_model(os.environ.get("ARCH", "resnet18"), weights=None, num_classes=BREEDS).eval().to(device)
        self.network = network.to(memory_format=torch.channels_last) if BF16 else network
        self.mean, self.std = (torch.tensor(one).view(1, 3, 1, 1) for one in (MEAN, STD))

    def decode_request(self, request: Request) -> torch.Tensor:
        """The middle of the picture, uint8 [3, 224, 224]; LitServe gives the form to who asks for a request."""
        with Image.open(io.BytesIO(request["file"].file.read())) as opened:
            picture = opened.convert("RGB")
        scale = PRESIZE / min(picture.size)
        sides = (round(picture.width * scale), round(picture.height * scale))
        resized = picture.resize(sides, Image.Resampling.BILINEAR)
        cut: torch.Tensor = functional.center_crop(functional.pil_to_tensor(resized), [SIDE, SIDE])
        return cut

    def batch(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Normalised, float32 [n, 3, 224, 224]."""
        return (torch.stack(inputs).float() / 255 - self.mean) / self.std

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Probabilities, float32 [n, 37]."""
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=BF16):
            laid = x.contiguous(memory_format=torch.channels_last) if BF16 else x
            found: torch.Tensor = self.network(laid).float().softmax(1)
            return found

    def unbatch(self, output: torch.Tensor) -> list[torch.Tensor]:
        """A row each."""
        return list(output)

    def encode_response(self, output: torch.Tensor) -> dict[str, list[float]]:
        """As JSON."""
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    api = BreedApi(max_batch_size=BATCH, batch_timeout=WAIT_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(port=int(os.environ["PORT"]), generate_client_file=False, log_level="warning")
