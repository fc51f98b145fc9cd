"""What a command with --json has on its standard output: JSON, and no line for people."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

CLI = Path(__file__).parent.parent.parent / "cli"
FOR_PEOPLE = {"say", "heading", "show_table", "show_pairs", "confirm"}
OPTION = "as_json"
PATHS = sorted(CLI.glob("*.py"))


@cache
def functions(module: str) -> dict[str, ast.FunctionDef]:
    """A module's own, by name."""
    found = ast.parse((CLI / f"{module}.py").read_text(encoding="utf-8")).body
    return {one.name: one for one in found if isinstance(one, ast.FunctionDef)}


@cache
def imported(module: str) -> dict[str, str]:
    """From where a module has the names of the command's other modules."""
    found = ast.walk(ast.parse((CLI / f"{module}.py").read_text(encoding="utf-8")))
    named = [one for one in found if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("cli.")]
    return {alias.name: str(one.module).removeprefix("cli.") for one in named for alias in one.names}


def is_asked_for(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Name) and one.id == OPTION for one in ast.walk(node))


def takes_the_option(function: ast.FunctionDef) -> bool:
    return any(one.arg == OPTION for one in [*function.args.args, *function.args.kwonlyargs])


def unasked(nodes: Sequence[ast.AST]) -> Iterator[ast.Call]:
    """The calls that are made whether JSON is asked for or not, and are not told which."""
    for node in nodes:
        if isinstance(node, ast.If | ast.IfExp) and is_asked_for(node.test):
            if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Return | ast.Continue):
                return
            continue
        if isinstance(node, ast.Call):
            if is_asked_for(node) or any(one.arg == "err" for one in node.keywords):
                continue
            yield node
        yield from unasked(list(ast.iter_child_nodes(node)))


def names_of(calls: Iterator[ast.Call]) -> Iterator[str]:
    """What is called; of another object's methods only those that print."""
    for call in calls:
        if isinstance(call.func, ast.Name):
            yield call.func.id
        elif isinstance(call.func, ast.Attribute) and call.func.attr in FOR_PEOPLE:
            yield call.func.attr


def tells_people(module: str, name: str, above: frozenset[tuple[str, str]] = frozenset()) -> bool:
    """Whether a function prints for people on the standard output, or has another one do so."""
    if name in FOR_PEOPLE:
        return True
    if (module, name) in above:
        return False
    function = functions(module).get(name)
    if function is None:
        return name in imported(module) and tells_people(imported(module)[name], name, above | {(module, name)})
    called = names_of(unasked(function.body))
    return any(tells_people(module, one, above | {(module, name)}) for one in called)


def test_what_is_for_people_is_not_beside_json() -> None:
    commands = [(path.stem, one) for path in PATHS for one in functions(path.stem).values() if takes_the_option(one)]
    assert len(commands) > len(PATHS) / 2
    told = [
        f"{module}.{command.name}: {called}"
        for module, command in commands
        for called in names_of(unasked(command.body))
        if tells_people(module, called)
    ]
    assert told == []
