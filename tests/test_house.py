"""The house rules that no linter knows."""

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.parsed import parsed

HOUSE = Path(__file__).parent.parent
ROOMS = ("api", "backup", "benchmarks", "cli", "client", "examples", "migrations", "ml", "store", "tests", "worker")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "core"}
MOST_LINES = 400
WRITTEN = {HOUSE / "client/src/pedigree/schemas.py"}
"""By a script, from what a test holds them against."""
MOST_FUNCTION_LINES = 60
IMPORTS_LATE = {"ml.late", "pedigree"}
"""The house's one door, and that of the client, a package of its own: both are checked below."""
FOREIGN = {
    "a path of somebody's machine": re.compile(
        r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|opt/pypi\S*|opt/wheels)/\S*"
    ),
    "a package index": re.compile(r"--(?:extra-)?index-url|--find-links|\bsimple/\s*$|trusted-host"),
}


def tracked() -> list[Path]:
    """Every file of the repository that git knows or would take in."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := HOUSE / name).is_file()]


def sources() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(HOUSE).parts[0] in ROOMS]


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    return [(path.relative_to(HOUSE), tree) for path, tree in parsed(sources())]


@pytest.fixture(scope="module", autouse=True)
def parsed_once() -> Iterator[None]:
    """Parsing takes seconds; and nobody after this file has a use for so many objects."""
    yield
    trees.cache_clear()


def test_there_is_a_house_to_look_at() -> None:
    rooms = {path.relative_to(HOUSE).parts[0] for path in sources()}
    assert rooms >= {"api", "cli", "migrations", "ml", "store", "tests", "worker"}


def test_nobody_commits_but_the_block_that_owns_the_transaction() -> None:
    calls = [
        f"{path}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert calls == []


def test_files_are_named_for_what_they_own() -> None:
    vague = [str(path.relative_to(HOUSE)) for path in sources() if {path.stem, *path.parent.parts} & VAGUE_NAMES]
    assert vague == []


def test_files_and_functions_are_short_enough_to_be_read() -> None:
    long_files = [
        f"{path.relative_to(HOUSE)}: {count} lines"
        for path in sources()
        if path not in WRITTEN and (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    ]
    long_functions = [
        f"{path}:{node.lineno} {node.name}: {count} lines"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (count := (node.end_lineno or node.lineno) - node.lineno + 1) >= MOST_FUNCTION_LINES
    ]
    assert long_files + long_functions == []


def test_no_error_is_swallowed() -> None:
    swallowed = [
        f"{path}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body)
    ]
    assert swallowed == []


def test_nothing_tells_of_the_machine_it_was_made_on() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__) or path.suffix in {".png", ".jpg", ".npy", ".npz", ".safetensors", ".ico"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found += [
                f"{path.relative_to(HOUSE)}:{number} {what}: {match[0]}"
                for what, pattern in FOREIGN.items()
                if (match := pattern.search(line))
            ]
    assert found == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_every_make_target_that_is_spoken_of_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE))
    spoken_of = set(re.findall(r"`make ([a-z]+)|^\s*make ([a-z]+)", (HOUSE / document).read_text(), re.MULTILINE))
    assert {word for pair in spoken_of for word in pair if word} <= targets


def test_decisions_are_numbered_without_a_gap() -> None:
    names = sorted(path.name for path in (HOUSE / "docs" / "decisions").glob("*"))
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) for name in names), names
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


@pytest.mark.parametrize("document", sorted(path.relative_to(HOUSE).as_posix() for path in HOUSE.glob("docs/**/*.md")))
def test_links_between_documents_lead_somewhere(document: str) -> None:
    folder = (HOUSE / document).parent
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (HOUSE / document).read_text(encoding="utf-8"))
    assert [link for link in links if not (folder / link).exists()] == []


def test_a_benchmark_without_what_it_needs_says_what_is_missing() -> None:
    command = ["make", "--dry-run", "bench", "PETS=photos", "PEER=peer.py"]
    ended = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "make bench needs FASTAI_PYTHON WEIGHTS: make bench PETS=PHOTOS " in ended.stderr


def ours() -> Iterator[tuple[str, ast.Module]]:
    """What is installed, by the name that it is imported by."""
    for path, tree in trees():
        if path.parts[0] in {"api", "backup", "cli", "migrations", "ml", "store", "worker"}:
            yield ".".join(path.with_suffix("").parts), tree


def clients() -> Iterator[tuple[str, ast.Module]]:
    """The client's modules, by the name that they are imported by."""
    for path, tree in trees():
        if path.is_relative_to("client/src"):
            yield ".".join(path.relative_to("client/src").with_suffix("").parts).removesuffix(".__init__"), tree


def calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
            yield node


def test_the_client_stands_alone_and_has_no_cycle() -> None:
    """It is a package of its own that import-linter does not see; what only types need closes no circle."""
    folder = HOUSE / "client" / "src"
    files = parsed(sorted(folder.rglob("*.py")))
    imports = {".".join(path.relative_to(folder).with_suffix("").parts): set(imported(tree)) for path, tree in files}
    rooms = {name.partition(".")[0] for names in imports.values() for name in names}
    assert "pedigree" in rooms
    assert rooms & {"api", "backup", "cli", "migrations", "ml", "store", "worker"} == set()
    while free := {module for module, names in imports.items() if not names & imports.keys()}:
        imports = {module: names for module, names in imports.items() if module not in free}
    assert imports == {}


def imported(tree: ast.Module) -> Iterator[str]:
    """What is imported when the module is, by its whole name; of a ``from`` both the module and what is taken."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_modules_are_imported_late_only_through_a_door() -> None:
    late = {module for module, tree in (*ours(), *clients()) if any(calls(tree, "import_module"))}
    assert late == IMPORTS_LATE


def test_the_names_that_the_client_brings_in_late_are_there() -> None:
    client = dict(clients())
    (places,) = (
        ast.literal_eval(node.value)
        for node in client["pedigree"].body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PLACES"
    )
    defined = {
        module: {getattr(node, "name", None) for node in client[f"pedigree.{module}"].body}
        for module in places.values()
    }
    assert [name for name, module in places.items() if name not in defined[module]] == []


def test_what_goes_through_the_late_door_is_there() -> None:
    """A text is checked by nobody else: not by mypy, nor by the import contracts."""
    defined = {module: {getattr(node, "name", None) for node in tree.body} for module, tree in ours()}
    late = [(module, call) for module, tree in ours() for call in calls(tree, "Late")]
    # What a command is named is tried with its help, in tests/cli.
    named = [tuple(map(ast.literal_eval, call.args)) for module, call in late if module != "cli.lazy"]
    assert named
    own = {room for room, *_ in (module.split(".") for module in defined)}
    assert [(module, name) for module, name in named if _is_missing(module, name, defined, own)] == []


def _is_missing(module: str, name: str, defined: Mapping[str, AbstractSet[object]], own: AbstractSet[str]) -> bool:
    if module.split(".", maxsplit=1)[0] in own:
        return name not in defined.get(module, set())
    return not hasattr(import_module(module), name) and find_spec(f"{module}.{name}") is None


def test_the_places_to_change_are_where_the_page_says() -> None:
    """Each path on a line is there, and each word of code on it stands in one of them."""
    wrong = []
    for line in (HOUSE / "docs/changing.md").read_text(encoding="utf-8").splitlines():
        said = re.findall(r"`([^`]+)`", line)
        places = [HOUSE / word for word in said if "/" in word and " " not in word]
        wrong += [f"{place} is not there" for place in places if not place.exists()]
        files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.*"))]
        text = "".join(file.read_text(encoding="utf-8") for file in files if file.suffix in {".py", ".js", ".html"})
        words = [word for word in said if re.fullmatch(r"\w+", word)]
        wrong += [f"{word} is not in {places}" for word in words if places and word not in text]
    assert not wrong


DRAWN_WHOLE = ("api/routes", "api/schemas", "api/figures", "ml/serve/export/carried")
"""Packages that the drawing has as one: what is in them is said in words."""


def drawing() -> dict[str, set[str]]:
    """The modules that docs/architecture.md draws, by their folder; what stands after three spaces is a remark."""
    modules: dict[str, set[str]] = {}
    folder = ""
    for line in (HOUSE / "docs/architecture.md").read_text(encoding="utf-8").split("```")[3].splitlines():
        head = re.match(r"(\S+)/ +", line)
        folder = head[1] if head else folder
        said = re.split(r" {3,}", line[head.end() if head else 0 :].strip())[0]
        modules.setdefault(folder, set()).update(said.rstrip(",;").split())
    return modules


def test_the_drawing_of_the_packages_has_every_module_and_no_other() -> None:
    there: dict[str, set[str]] = {}
    for path in sources():
        place = path.relative_to(HOUSE)
        if place.parts[0] in {"api", "ml"} and place.stem != "__init__" and str(place.parent) not in DRAWN_WHOLE:
            there.setdefault(str(place.parent), set()).add(place.stem)
    drawn = drawing()
    assert there
    assert {folder: apart for folder, modules in there.items() if (apart := drawn.get(folder, set()) ^ modules)} == {}


def test_the_drawing_of_the_rooms_has_every_import_from_one_to_another() -> None:
    rooms = {"api", "backup", "cli", "migrations", "ml", "store", "worker"}
    imports = {(place.parts[0], name.partition(".")[0]) for place, tree in trees() for name in imported(tree)}
    needed = {f"`{room}` → `{other}`" for room, other in imports if {room, other} <= rooms and room != other}
    rows = (HOUSE / "docs/architecture.md").read_text(encoding="utf-8").replace("`api`, `worker` → `store`", "")
    missing = {pair for pair in needed if pair not in rows} - {"`api` → `store`", "`worker` → `store`"}
    assert len(needed) > len(missing) == 0


def test_what_the_architecture_names_is_there() -> None:
    said = re.findall(r"`((?:api|cli|ml|store|worker)(?:\.\w+)+)`", (HOUSE / "docs/architecture.md").read_text())
    assert len(said) > 40
    assert [name for name in said if not _is_there(name)] == []


def _is_there(name: str) -> bool:
    """A module or a package, or a module with a class or function of that name, and its method."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        module = HOUSE.joinpath(*parts[:count])
        if module.is_dir() or module.with_suffix(".py").is_file():
            text = "" if module.is_dir() else module.with_suffix(".py").read_text(encoding="utf-8")
            return all(re.search(rf"\b(?:def|class) {word}\b", text) for word in parts[count:])
    return False
