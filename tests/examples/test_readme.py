"""Every sample of the README that a reader can type, against a whole small service, in its order.

``$`` begins a command in a fence without a language; a fence of Python is run as it stands. ``make`` and what comes
before a checkout are not typed here: ``tests/test_make.py`` and ``tests/test_house.py`` know the targets.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import pedigree
from tests.cli.pictures import draw_pictures
from tests.examples.small_service import SmallService, small_service

HOUSE = Path(__file__).parent.parent.parent
README = (HOUSE / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*(?:\n    .*)*)$", re.MULTILINE)
INLINE = re.compile(r"`(pedigree [a-z][^`…]*)`", re.DOTALL)
NOT_TYPED = ("git ", "make ", "cd ", "sudo ", "apt", "export ")
PRELUDE = """
pedigree() { "$PYTHON" -m cli.main "$@"; }
curl() { command curl --fail-with-body "$@"; }
"""


def samples() -> list[tuple[str, str]]:
    """Kind and text of each, in their order."""
    found = []
    for language, text in FENCE.findall(README):
        if language == "python":
            found.append(("python", text))
        elif not language:
            found += [("shell", command) for command in COMMAND.findall(text) if not command.startswith(NOT_TYPED)]
    return found


def run(kind: str, text: str, service: SmallService, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type it."""
    environment = {
        **service.environment,
        "PEDIGREE_URL": service.url,
        "URL": service.url,
        "PYTHON": sys.executable,
        "PYTHONPATH": f"{HOUSE}:{HOUSE / 'client' / 'src'}",
    }
    typed = text.replace("FOLDER", shlex.quote(str(service.pictures)))
    typed = typed.replace('"dataset": "sample"', '"dataset": "pets"')  # drawing one takes its time
    command = [sys.executable, "-c", typed] if kind == "python" else ["bash", "-euc", PRELUDE + typed]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)  # three trainings
def test_every_sample_does_what_it_says(tmp_path: Path) -> None:
    assert {kind for kind, _ in samples()} == {"python", "shell"}
    folder = tmp_path / "reader"
    pictures = draw_pictures(folder, each=1)
    shutil.copy(pictures / "beagle_1.jpg", folder / "Birman_10.jpg")
    shutil.copy(pictures / "pug_1.jpg", folder / "photo.jpg")
    with small_service(tmp_path) as service:
        for kind, text in samples():
            ended = run(kind, text, service, folder)
            assert ended.returncode == 0, f"{text}\n{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize("text", [" ".join(text.split()) for text in INLINE.findall(README)])
def test_every_command_within_a_sentence_is_one(text: str) -> None:
    words = shlex.split(text)[1:]
    group = pedigree
    while words and not words[0].startswith("-"):
        with pedigree.make_context("pedigree", [], resilient_parsing=True) as context:
            found = group.get_command(context, words[0]) if hasattr(group, "get_command") else None
        if found is None:
            break
        group, words = found, words[1:]  # type: ignore[assignment]
    assert group is not pedigree, text
    options = {name for one in group.params for name in one.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options | {"--help"}
