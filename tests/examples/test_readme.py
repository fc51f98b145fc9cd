"""Every sample of the READMEs that a reader can type, against a whole small service, in its order.

``$`` begins a command in a fence without a language; a fence of Python is run as it stands. ``make`` and what comes
before a checkout are not typed here: ``tests/test_make.py`` and ``tests/test_house.py`` know the targets.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from api.schemas.predictions import Prediction, Predictions, SetCoverage
from cli.main import pedigree
from store.states import State
from tests.cli.pictures import draw_pictures
from tests.examples.small_service import SmallService

HOUSE = Path(__file__).parent.parent.parent
README = (HOUSE / "README.md").read_text(encoding="utf-8")
OF_THE_CLIENT = (HOUSE / "client" / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*(?:\n    .*)*)$", re.MULTILINE)
INLINE = re.compile(r"`(pedigree [a-z][^`…]*)`", re.DOTALL)
KEY = re.compile(r'"(\w+)":')
HEADER = re.compile(r"[a-z_/]+( [a-z_/]+)*( {2,}[a-z_/]+( [a-z_/]+)*)+")
"""The names above a table: words two spaces or more apart, without a number."""
TRAINING = 'client.train("pets", arch="mobilenet_v2", epochs=1, presize=128, size=96).wait()'
SMALLER = {
    "presize=256 --set size=192": "presize=64 --set size=48",
    "presize=128, size=96": "presize=64, size=48",
    '"presize": 96, "size": 64': '"presize": 64, "size": 48',
    '"dataset": "sample"': '"dataset": "pets"',
}
"""What is typed otherwise, as it takes its time: pictures, which are small here anyway, and one drawn set too many."""
NOT_TYPED = ("git ", "make ", "cd ", "sudo ", "apt", "export ")
PRELUDE = """
pedigree() { "$PYTHON" -m cli.main "$@"; }
curl() { command curl --fail-with-body "$@"; }
"""


@dataclass(frozen=True)
class Sample:
    """What is typed, and what the README shows below it."""

    kind: str
    text: str
    shown: str = ""


def samples() -> list[Sample]:
    """All of them, in their order."""
    found = []
    for language, text in FENCE.findall(README):
        if language == "python":
            found.append(Sample("python", text))
        elif not language:
            found += [sample for sample in _typed(text) if not sample.text.startswith(NOT_TYPED)]
    # It is the same training: once is enough.
    texts = [text.replace(TRAINING, "client.runs.get(1)") for _, text in FENCE.findall(OF_THE_CLIENT)]
    return [*found, *(Sample("python", text) for text in texts)]


def _typed(text: str) -> Iterator[Sample]:
    for command, following in pairwise([*COMMAND.finditer(text), None]):
        if command is not None:
            yield Sample("shell", command[1], text[command.end() : following.start() if following else len(text)])


UNSURE = "pedigree predict "
"""Its table is for sure answers, which a model of so few pictures does not give: test_readme_outputs.py holds it."""


def fixed_lines(sample: Sample) -> list[str]:
    """Of what is shown, the lines that are the same for all pictures: names of columns, and states."""
    lines = [line.strip() for line in sample.shown.splitlines()]
    return [spaced(line) for line in lines if HEADER.fullmatch(line) or line in set(State)]


def spaced(line: str) -> str:
    """With two spaces between columns, however wide they are."""
    return re.sub(r" {2,}", "  ", line.strip())


def run(sample: Sample, service: SmallService, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type it."""
    environment = {
        **service.environment,
        "PEDIGREE_URL": service.url,
        "URL": service.url,
        "PYTHON": sys.executable,
        "PYTHONPATH": f"{HOUSE}:{HOUSE / 'client' / 'src'}",
    }
    typed = sample.text.replace("FOLDER", shlex.quote(str(service.pictures)))
    typed = typed.replace("photos/", str(service.pictures))
    for written, instead in SMALLER.items():
        typed = typed.replace(written, instead)
    command = [sys.executable, "-c", typed] if sample.kind == "python" else ["bash", "-euc", PRELUDE + typed]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.thorough
@pytest.mark.long
@pytest.mark.timeout(600)  # three trainings
def test_every_sample_does_what_it_says(service: SmallService, tmp_path: Path) -> None:
    assert {sample.kind for sample in samples()} == {"python", "shell"}
    assert TRAINING in README
    assert TRAINING in OF_THE_CLIENT
    assert all(any(written in sample.text for sample in samples()) for written in SMALLER)
    folder = tmp_path / "reader"
    pictures = draw_pictures(folder, each=1)
    shutil.copy(pictures / "beagle_1.jpg", folder / "Birman_10.jpg")
    shutil.copy(pictures / "pug_1.jpg", folder / "photo.jpg")
    for sample in samples():
        ended = run(sample, service, folder)
        assert ended.returncode == 0, f"{sample.text}\n{ended.stdout}\n{ended.stderr}"
        missing = set(KEY.findall(sample.shown)) - set(KEY.findall(ended.stdout))
        assert missing == set(), f"{sample.text}\nhas no such fields: {ended.stdout}"
        shown = [spaced(line) for line in ended.stdout.splitlines()]
        missed = [line for line in fixed_lines(sample) if line not in shown and not sample.text.startswith(UNSURE)]
        assert missed == [], f"{sample.text}\nhas no such lines: {ended.stdout}"


def test_the_lines_that_are_held_are_those_of_the_tables() -> None:
    headers = [line for sample in samples() for line in fixed_lines(sample) if "  " in line]
    assert [line.split()[0] for line in headers] == ["epoch", "actual", "version", "file"]


def test_the_sample_of_an_answer_leaves_no_field_out() -> None:
    [sample] = [sample for sample in samples() if "/predict?" in sample.text]
    shown = set(KEY.findall(sample.shown))
    assert set(Prediction.model_fields) | set(Predictions.model_fields) | set(SetCoverage.model_fields) <= shown


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
