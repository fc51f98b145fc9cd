"""``python -m ml.serve.export REQUEST``: makes one export for its parent, in a process that can be ended at any time.

What is wanted is one JSON object in the file REQUEST; what happens is told in lines of JSON on the standard output:
{"stage"}, and at the end {"refused": [code, detail, hint]} where it cannot be, else {"made": path}.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from ml.decode.images import Limits
from ml.errors import LearningError
from ml.serve.export.archive import export
from ml.serve.export.manifest import Origin
from ml.tied import end_with


def main() -> int:
    """Make it; 0 where that is told or why not."""
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if not end_with(asked["parent"]):
        return 1
    os.nice(asked["niceness"])
    # Of memory that it takes, not of what it maps: torch maps its libraries several times over.
    resource.setrlimit(resource.RLIMIT_DATA, (asked["bytes"], asked["bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        made = _made(asked)
    except LearningError as error:
        _tell({"refused": [error.code, error.detail, error.hint]})
        return 0
    except MemoryError:
        detail = f"the export takes more than {asked['bytes'] >> 20} MiB of memory"
        _tell({"refused": ["out_of_memory", detail, "Export it as safetensors, which takes the least."]})
        return 0
    _tell({"made": str(made)})
    return 0


def _made(asked: dict[str, Any]) -> Path:
    return export(
        Path(asked["model"]),
        asked["form"],
        Origin(asked["version"], asked["run"]),
        Path(asked["work"]),
        photos=[Path(photo).read_bytes() for photo in asked["photos"]],
        limits=Limits(**asked["limits"]),
        on_stage=lambda stage: _tell({"stage": stage}),
    )


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
