"""Name the breed in pictures with the model that lies beside this file.

    python predict.py PHOTO...          one line of JSON for each photo
    from predict import Model           in a program: Model().predict("photo.jpg")

It needs numpy and Pillow, and what README.txt names beside them.
"""

import argparse
import io
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
Floats = npt.NDArray[np.float32]
Answer = Callable[[npt.NDArray[np.uint8]], Floats]


def square(data: bytes, presize: int, lay_on_white: bool = True) -> npt.NDArray[np.uint8]:
    """The middle of a picture as uint8 RGB [presize, presize, 3]."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.has_transparency_data and lay_on_white:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    side = max(1, int(min(image.width / presize, image.height / presize) * presize))
    left, top = int(0.5 * (image.width - side)), int(0.5 * (image.height - side))
    image = image.crop((left, top, left + side, top + side))
    return np.asarray(image.resize((presize, presize), Image.Resampling.BILINEAR))


def resize_matrix(presize: int, size: int) -> Floats:
    """R, float32 [size, presize]: R @ channel @ R.T is a channel of a presized picture at the model's size.

    Where the picture shrinks to less than half, neighbouring rows are averaged first; then each row is interpolated
    between two, the first on the first and the last on the last.
    """
    shrink = presize / size / 2
    middle = int(presize * (1 / shrink)) if shrink > 1 else presize
    average = np.zeros((middle, presize))
    for row in range(middle):
        first, last = row * presize // middle, -(-(row + 1) * presize // middle)
        average[row, first:last] = 1 / (last - first)
    between = np.zeros((size, middle))
    for row, place in enumerate(np.linspace(0, middle - 1, size)):
        low = min(int(place), middle - 1)
        high = min(low + 1, middle - 1)
        between[row, low] += 1 - (place - low)
        between[row, high] += place - low
    matrix = np.eye(presize) if size == presize else between @ average
    return matrix.astype(np.float32)


class Model:
    """The model in a folder, by default this file's own."""

    def __init__(self, folder: Path = HERE) -> None:
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.vocab: list[str] = self.manifest["vocab"]
        self._answer = OPENED[self.manifest["format"]](folder, self.manifest)

    def probabilities(self, squares: npt.NDArray[np.uint8]) -> Floats:
        """Of presized squares, uint8 [n, presize, presize, 3]: float32 [n, breeds], in the order of ``vocab``."""
        return np.asarray(self._answer(squares), np.float32)

    def predict(self, photo: str | Path) -> dict[str, float]:
        """Every breed and its probability, the likeliest first."""
        how = self.manifest["prepare"]
        picture = square(Path(photo).read_bytes(), how["presize"], how["lay_on_white"])
        row = self.probabilities(picture[None])[0]
        return {self.vocab[index]: float(row[index]) for index in np.argsort(-row, kind="stable")}


def open_onnx(folder: Path, _: dict[str, Any]) -> Answer:
    """ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return lambda squares: np.asarray(session.run(None, {"pixels": squares})[0])


def open_openvino(folder: Path, _: dict[str, Any]) -> Answer:
    """OpenVINO. In f32, as it was checked; leave the hint out for what is fastest on this machine."""
    import openvino

    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda squares: np.asarray(compiled({"pixels": squares})[0])


def open_torchscript(folder: Path, _: dict[str, Any]) -> Answer:
    """PyTorch alone: the network is in the file."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        model = torch.jit.load(folder / "model.pt", map_location="cpu")  # type: ignore[no-untyped-call]

    def answer(squares: npt.NDArray[np.uint8]) -> Floats:
        with torch.inference_mode():
            return np.asarray(model(torch.from_numpy(squares.copy())))

    return answer


def open_safetensors(folder: Path, manifest: dict[str, Any]) -> Answer:
    """PyTorch and torchvision: the file has the weights, and the network is built here."""
    import torch
    from safetensors.torch import load_file

    network = build_network(manifest["model"]["arch"], len(manifest["vocab"]))
    network.load_state_dict(load_file(folder / "model.safetensors"))
    network.eval()
    how = manifest["prepare"]
    rows = torch.from_numpy(resize_matrix(how["presize"], how["size"]))
    mean, std = (torch.tensor(how[name]).view(3, 1, 1) for name in ("mean", "std"))

    def answer(squares: npt.NDArray[np.uint8]) -> Floats:
        with torch.inference_mode():
            pixels = rows @ torch.from_numpy(squares.copy()).permute(0, 3, 1, 2).float() @ rows.T
            logits = network((pixels / 255 - mean) / std).float() / how["temperature"] + how["bias"]
            return np.asarray(torch.sigmoid(logits) if how["scores"] == "independent" else torch.softmax(logits, 1))

    return answer


def build_network(arch: str, classes: int) -> Any:
    """Torchvision's classifier without its last part, and a head of two layers over what the pooling makes of it."""
    import torch
    from torch import nn
    from torchvision.models import get_model

    class Pool(nn.Module):
        """Of each channel its maximum and its mean."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)

    class Patches(nn.Module):
        """A vision transformer's first part: a token of the class, then one for each patch with its place."""

        def __init__(self, vit: Any) -> None:
            super().__init__()
            self.projection, self.class_token, self.places = vit.conv_proj, vit.class_token, vit.encoder.pos_embedding

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = self.projection(x)
            side = round((self.places.shape[1] - 1) ** 0.5)
            grid = self.places[:, 1:].transpose(1, 2).reshape(1, -1, side, side)
            if maps.shape[2:] != grid.shape[2:]:
                grid = nn.functional.interpolate(grid, maps.shape[2:], mode="bicubic")
            patches = (maps + grid).flatten(2).transpose(1, 2)
            first = (self.class_token + self.places[:, :1]).expand(len(patches), -1, -1)
            return torch.cat([first, patches], 1)

    class TokenPool(nn.Module):
        """The class's token and the mean of the patches."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x[:, 0], x[:, 1:].mean(1)], 1)

    # Of vit_h_14 the usual weights are for photos of 518 pixels.
    model = get_model(arch, weights=None, **({"image_size": 518} if arch == "vit_h_14" else {}))
    names = dict(model.named_children())
    cut = names.get("classifier") or names.get("fc") or names.get("heads") or names["head"]
    width = next(module.in_features for module in cut.modules() if isinstance(module, nn.Linear))
    if arch.startswith("regnet"):
        body = [names["stem"], *names["trunk_output"].children()]
    elif arch.startswith("swin"):
        body = [*names["features"].children(), names["norm"], names["permute"]]
    elif arch.startswith("vit"):
        body = [Patches(model), *model.encoder.layers, model.encoder.ln]
    elif "features" in names:
        body = list(names["features"].children())
    else:
        body = list(model.children())[:-2]
    pool = TokenPool() if arch.startswith("vit") else Pool()
    head = nn.Sequential(
        pool, nn.Flatten(), nn.BatchNorm1d(2 * width), nn.Dropout(0.25), nn.Linear(2 * width, 512, bias=False),
        nn.ReLU(), nn.BatchNorm1d(512), nn.Dropout(0.5), nn.Linear(512, classes, bias=False),
    )  # fmt: skip
    return nn.Sequential(nn.Sequential(*body), head)


OPENED: dict[str, Callable[[Path, dict[str, Any]], Answer]] = {
    "onnx": open_onnx,
    "openvino": open_openvino,
    "torchscript": open_torchscript,
    "safetensors": open_safetensors,
}
"""From a format to what answers."""


def main(words: list[str]) -> int:
    """Print a line of JSON for each photo; 1 where one could not be read."""
    parser = argparse.ArgumentParser(description="Name the breed in photos.")
    parser.add_argument("photos", nargs="+", metavar="PHOTO")
    parser.add_argument("--all", action="store_true", help="tell every breed's probability, not the first five")
    asked = parser.parse_args(words)
    model, failed = Model(), 0
    for photo in asked.photos:
        try:
            found = list(model.predict(photo).items())
        except (OSError, ValueError) as error:
            failed += 1
            print(json.dumps({"photo": photo, "error": str(error)}))
            continue
        breed, probability = found[0]
        more = dict(found if asked.all else found[:5])
        print(json.dumps({"photo": photo, "breed": breed, "probability": probability, "probabilities": more}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
