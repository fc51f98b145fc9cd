"""What an export says of itself: for programs in manifest.json, for people in README.txt."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.augment.lighting import MEAN, STD
from ml.serve.export.formats import FORMATS
from ml.serve.export.forms import Form
from ml.serve.export.portable import Portable
from ml.versions import installed_versions

FORMAT_VERSION, WITH_BIAS = 1, 2
"""Weights alone are calibrated by their reader, who must not leave a bias out."""
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Origin:
    """Which registered version is exported, and the run that it was."""

    version: int
    run: int


def describe(model: Portable, origin: Origin, form: Form) -> dict[str, Any]:
    """All but the files' hashes and the check's figures."""
    about = model.about
    return {
        "format_version": WITH_BIAS if model.calibration.bias else FORMAT_VERSION,
        "format": form,
        "model": {"version": origin.version, "run": origin.run, "arch": about.arch, "learned_from_drawn": about.drawn},
        "vocab": list(about.vocab),
        "input": {
            "name": "pixels",
            "type": "uint8",
            "shape": ["n", about.presize, about.presize, 3],
            "order": "rows from the top, columns from the left, red, green and blue, 0 to 255",
        },
        "output": {"name": "probabilities", "type": "float32", "shape": ["n", len(about.vocab)]},
        "prepare": _preparation(model),
        "needs": ["numpy", "pillow", *FORMATS[form].packages],
        "versions": installed_versions(),
    }


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 (hex) of every file in a folder but the manifest, by name."""
    files = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def readme(manifest: dict[str, Any]) -> str:
    """The text for people."""
    about, check = manifest["model"], manifest["check"]
    words = "\n".join(f"{number}. {step}" for number, step in enumerate(manifest["prepare"]["words"], 1))
    drawn = (
        "\nIt learned from drawn pictures: do not trust it with photographs.\n" if about["learned_from_drawn"] else ""
    )
    return _README.format(
        version=about["version"],
        run=about["run"],
        arch=about["arch"],
        form=manifest["format"],
        count=len(manifest["vocab"]),
        drawn=drawn,
        needs=" ".join(manifest["needs"]),
        words=words,
        presize=manifest["prepare"]["presize"],
        pictures=check["made_up_images"] + check["validation_photos"],
        difference=f"{check['largest_difference']:.1g}",
        tolerance=f"{check['tolerance']:g}",
        served=check["served_precision"],
        from_served=f"{check['difference_to_served']:.1g}",
    )


def _preparation(model: Portable) -> dict[str, Any]:
    """In words and in numbers. A file of weights alone needs all of it; any other format has the last two inside."""
    about = model.about
    transparent = "lay what is transparent on white" if about.decoding > 1 else "drop the transparency"
    return {
        "presize": about.presize,
        "size": about.size,
        "lay_on_white": about.decoding > 1,
        "mean": list(MEAN),
        "std": list(STD),
        "temperature": model.calibration.temperature,
        "bias": model.calibration.bias,
        "scores": "independent" if model.loss == "binary_cross_entropy" else "sum_to_one",
        "words": [
            f"Turn the picture upright by its EXIF orientation, {transparent}, and make it 8-bit RGB.",
            "Cut out the largest square in the middle; its side is int(min(width, height) / presize * presize).",
            f"Scale it to {about.presize} x {about.presize} with Pillow's BILINEAR filter, which is antialiased.",
        ],
    }


_README = """\
A pet-breed classifier: version {version} ({arch}, run {run}), as {form}
{drawn}
Name the breed in photos on the command line:

    pip install {needs}
    python predict.py PHOTO...          (or ./predict.sh PHOTO...)

In a program:

    from predict import Model
    Model().predict("photo.jpg")        # every breed and its probability

Elsewhere, give the model its input "pixels": uint8 [n, {presize}, {presize}, 3]. It puts out "probabilities": float32
[n, {count}], calibrated, in the order of "vocab" in manifest.json. A picture is prepared so:

{words}

manifest.json says the same for programs, and has the SHA-256 of every file.

Checked on {pictures} pictures when it was made: its probabilities differ from the model's own in float32 by at most
{difference} ({tolerance} is allowed). The service's processor runs the model in {served}, whose answers differ
from these by at most {from_served}. A photo that other software than Pillow decodes may differ by more.
"""
