"""What an error says is in fields: no sentence of the fact hides the hint, and none names a request of HTTP."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ml.config_rules import refusal
from ml.errors import LearningError
from store.errors import AppError
from tests.parsed import parsed

REPOSITORY = Path(__file__).parent.parent
ROOMS = ("api", "ml", "store", "worker")
REQUEST = re.compile(r"\b(GET|POST|PUT|DELETE) /")
BASES = {AppError.__name__, LearningError.__name__, refusal.__name__, "Hint"}


def names_of_errors(trees: Sequence[tuple[Path, ast.Module]]) -> set[str]:
    """Every class that is one of the service's errors, by name, and what makes a hint or a validator's error."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for _, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    names = set(BASES)
    while more := {name for name, above in bases.items() if above & names} - names:
        names |= more
    return names


def sentences(tree: ast.Module, errors: set[str]) -> Iterator[tuple[int, str, bool]]:
    """The texts that errors are made of, with their lines, and whether each is the fact and not the hint."""
    for node in ast.walk(tree):
        found: list[tuple[ast.expr, bool]] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors:
            found = [(one, number == 0 and node.func.id != "Hint") for number, one in enumerate(node.args[:2])]
            found += [(one.value, one.arg == "detail") for one in node.keywords if one.arg in {"detail", "hint"}]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            found = [(node.value, name == "detail")] if name in {"detail", "hint"} else []
        for expression, is_fact in found:
            for part in ast.walk(expression):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value, is_fact


def test_no_error_hides_its_hint_in_its_detail_or_names_a_request_in_a_sentence() -> None:
    trees = parsed(path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py")))
    errors = names_of_errors(trees)
    assert {"BatchTooLarge", "NotFound", "UnknownQuery", "WeightsMissing"} <= errors
    told = [(path, *one) for path, tree in trees for one in sentences(tree, errors)]
    assert len(told) > 200
    wrong = [
        f"{path.relative_to(REPOSITORY)}:{line} {text!r}"
        for path, line, text, is_fact in told
        if (is_fact and "; " in text) or REQUEST.search(text)
    ]
    assert wrong == []
