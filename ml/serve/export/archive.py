"""One zip of an export: every system opens it, a reader gets at one file without the rest, and nothing is packed tight.

Weights do not shrink, so that they are stored as they are.
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ml.decode.images import Limits
from ml.serve.export import carried
from ml.serve.export.check import compare
from ml.serve.export.formats import FORMATS
from ml.serve.export.forms import Form
from ml.serve.export.manifest import MANIFEST, Origin, describe, hashes, readme
from ml.serve.export.portable import Portable

OnStage = Callable[[str], None]

_SHELL = """\
#!/bin/sh
# predict.sh PHOTO...: one line of JSON for each photo. PYTHON names another Python.
exec "${PYTHON:-python3}" "$(dirname -- "$0")/predict.py" "$@"
"""
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Of every file: what was made when is no part of the export."""


def export(
    model: Path, form: Form, origin: Origin, work: Path, *, photos: Sequence[bytes], limits: Limits, on_stage: OnStage
) -> Path:
    """Write a model in a format and check it; the zip is in ``work``, an empty folder.

    Args:
        model: folder with the files of a run's model.
        form: the format.
        origin: which version that is.
        work: an empty folder.
        photos: files of pictures to check it on, beside made-up ones.
        limits: what one of them may cost.
        on_stage: called with load, convert, check and pack.

    Raises:
        CheckpointInvalid: the model's files cannot be used.
        ExportRefused: the format cannot hold the model, or it answers otherwise in it.
        ImageRejected: a photo is not a picture within the limits.
    """
    on_stage("load")
    portable = Portable.load(model)
    folder = work / f"model-{origin.version}-{form}"
    folder.mkdir()
    on_stage("convert")
    FORMATS[form].write(portable, folder)
    manifest = describe(portable, origin, form)
    _write(folder, manifest)
    on_stage("check")
    manifest["check"] = compare(portable, folder, photos, limits).content()
    (folder / "README.txt").write_text(readme(manifest), encoding="utf-8")
    (folder / "predict.py").write_text(
        Path(carried.__path__[0], "predict.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (folder / "predict.sh").write_text(_SHELL, encoding="utf-8")
    manifest["files"] = hashes(folder)
    _write(folder, manifest)
    on_stage("pack")
    return _packed(folder, work / "export.zip")


def _write(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _packed(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.name}", _MOMENT)
            entry.external_attr = (0o755 if path.suffix == ".sh" else 0o644) << 16
            with archive.open(entry, "w", force_zip64=True) as to, path.open("rb") as file:
                while part := file.read(1 << 20):
                    to.write(part)
    return out
