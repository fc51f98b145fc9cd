"""The chapter as a notebook, its cells one after the other against a whole small service, as a kernel runs them."""

import ast
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from pedigree import Client
from tests.examples.small_service import ARCH, SmallService

NOTEBOOK = Path(__file__).parent.parent.parent / "examples" / "chapter5.ipynb"
SMALL = {
    "CHAPTER_ARCH": ARCH,
    "CHAPTER_DEEPER": ARCH,
    "CHAPTER_SCALE": "0.1",
    "CHAPTER_PRESIZE": "48",
    "CHAPTER_SIZE": "32",
    "CHAPTER_BATCH_SIZE": "16",
    "CHAPTER_SWEEPS": "1",
    "CHAPTER_SWEEP_STEPS": "30",
}
REPRESENTATIONS = ("_repr_html_", "_repr_png_")


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return found


def run_cell(source: str, names: dict[str, Any]) -> object:
    """Run a cell and return what its last line is, shown as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)  # noqa: S102  # the cell is ours
    if not isinstance(last, ast.Expr):
        return None
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307  # the cell is ours
    shown = [getattr(value, name)() for name in REPRESENTATIONS if hasattr(value, name)]
    return shown[0] if shown else repr(value)


def test_the_notebook_is_committed_without_what_it_printed() -> None:
    for cell in cells():
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.thorough
@pytest.mark.long
@pytest.mark.timeout(600)  # ten jobs, each a process
def test_the_chapter_runs_from_the_first_cell_to_the_last(
    service: SmallService, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpl.use("agg")
    for name, value in {**SMALL, "PEDIGREE_URL": service.url}.items():
        monkeypatch.setenv(name, value)
    with Client() as client:
        client.datasets.add("pets", service.pictures, progress=False)
    names: dict[str, Any] = {}
    shown = [run_cell("".join(cell["source"]), names) for cell in cells() if cell["cell_type"] == "code"]
    texts = [text for text in shown if isinstance(text, str)]
    assert sum("valid_loss" in text for text in texts) >= 3
    assert any("<svg" in text for text in texts)
    assert any(isinstance(picture, bytes) and picture.startswith(b"\x89PNG") for picture in shown)
    assert names["version"].aliases == ["production"]
    assert names["unfrozen"].record.parent == names["head"].id
