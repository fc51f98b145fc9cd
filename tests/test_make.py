"""What `make` does with a user's shell and with an environment that was made elsewhere; pip itself is not run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
LOCK = (HOUSE / "requirements-dev.lock").read_text()
PACKAGES = len(set(re.findall(r"^([a-z0-9._-]+)==", LOCK, re.MULTILINE)))
INSTALLING = f"Installing {PACKAGES} packages into .venv, some minutes on the first time\n"
ODD_NAMES = ["plain", "with spaces, ü and 犬", "x" * 150]


def make(folder: Path, *words: str, **shell: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **shell}
    return subprocess.run(["make", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S607


def test_a_shells_pythons_and_pips_are_kept_from_the_recipes_but_not_where_packages_come_from(tmp_path: Path) -> None:
    kept = {
        "PIP_INDEX_URL": "https://packages.example.org/simple",
        "PIP_EXTRA_INDEX_URL": "https://more.example.org/simple",
        "PIP_CERT": "/etc/ours.pem",
        "https_proxy": "http://proxy.example.org:3128",
        "ALL_PROXY": "socks5://proxy.example.org:1080",
        "TMPDIR": "/var/tmp",  # noqa: S108
    }
    dropped = {"PYTHONPATH": "/elsewhere", "PYTHONHOME": "/elsewhere", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2"}
    dropped |= {"PIP_USER": "1", "PIP_TARGET": "/elsewhere", "PIP_REQUIRE_HASHES": "1", "PIP_DRY_RUN": "1"}
    (tmp_path / "Makefile").write_text((HOUSE / "Makefile").read_text() + "\nshow:\n\t@env -0\n")
    shown = make(tmp_path, "show", **kept, **dropped)
    assert shown.returncode == 0, shown.stderr
    found = dict(line.split("=", 1) for line in shown.stdout.split("\0") if line)
    assert {name: found.get(name) for name in kept} == kept
    assert dropped.keys() & found.keys() == set()


def test_a_shells_variables_are_not_taken_for_words_of_ours_and_words_are(tmp_path: Path) -> None:
    names = ("PYTHON", "DATA", "PETS", "MINUTES", "SEED", "EXAMPLES", "FASTAI_PYTHON", "PEER", "WEIGHTS")
    makefile = (HOUSE / "Makefile").read_text()
    shown = "".join(f"\t@echo {name}=$({name})\n" for name in names)
    (tmp_path / "Makefile").write_text(f"{makefile}\nshow:\n{shown}")
    of_shell = {name: f"/of/the/shell/{name}" for name in names}
    untouched = make(tmp_path, "show").stdout
    assert "DATA=.pedigree\n" in untouched
    assert make(tmp_path, "show", **of_shell).stdout == untouched
    given = make(tmp_path, "show", *(f"{name}=given" for name in names), **of_shell).stdout
    assert given == "".join(f"{name}=given\n" for name in names)
    assert "?=" not in makefile


def test_every_target_is_listed_with_what_it_does_in_one_column() -> None:
    lines = make(HOUSE).stdout.splitlines()
    listed = [line.split(maxsplit=1) for line in lines]
    phony = next(line for line in (HOUSE / "Makefile").read_text().splitlines() if line.startswith(".PHONY: "))
    assert [name for name, _ in listed] == [name for name in phony.split()[1:] if name != "elsewhere"]
    assert len({line.index(said) for line, (_, said) in zip(lines, listed, strict=True)}) == 1


@pytest.fixture(params=ODD_NAMES)
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A checkout whose Python makes environments that note how often they were made, and installs nothing."""
    folder = tmp_path / str(request.param)
    folder.mkdir()
    (folder / "client").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock", "client/pyproject.toml"):
        shutil.copy(HOUSE / name, folder / name)
    # called as `-c CHECK`, as `-m venv --clear .venv` and as `-m pip …`
    (folder / "python").write_text(
        "#!/bin/sh\n"
        'case "$2" in venv) mkdir -p .venv/bin; cp python .venv/bin/python; echo made >> made\n'
        'echo "#!$(pwd -P)/.venv/bin/python" > .venv/bin/pip;; esac\n'
    )
    (folder / "python").chmod(0o755)
    return folder


def install(folder: Path) -> tuple[int, str]:
    """Make it; how often an environment was made so far, and what was said."""
    ended = make(folder, "install", "PYTHON=./python", "PIP=:")
    assert ended.returncode == 0, ended.stderr
    return (folder / "made").read_text().count("made"), ended.stderr


def test_an_environment_is_made_once_and_anew_only_where_the_checkout_was_moved(checkout: Path, tmp_path: Path) -> None:
    assert install(checkout) == (1, INSTALLING)
    assert install(checkout) == (1, "")
    (checkout / ".venv" / ".installed").unlink()
    assert install(checkout) == (1, INSTALLING), "an install that broke off goes on"
    moved = checkout.rename(tmp_path / "moved")
    times, said = install(moved)
    assert times == 2
    assert said == f"This environment was made in another place. It is made again.\n{INSTALLING}"
    assert install(moved) == (2, "")
    shutil.copytree(moved, tmp_path / "copied", symlinks=True)
    assert install(tmp_path / "copied")[0] == 3


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    assert install(checkout)[0] == 1
    (checkout / ".venv" / "bin" / "python").unlink()
    assert install(checkout)[0] == 2


def test_demo_and_up_run_the_command_with_the_folders_that_are_named(checkout: Path) -> None:
    """What the command does with them is tested beside it."""
    install(checkout)
    command = checkout / ".venv" / "bin" / "pedigree"
    command.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
    command.chmod(0o755)

    def ran(*words: str) -> str:
        ended = make(checkout, *words, "PYTHON=./python", "PIP=:")
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert ran("demo") == "<demo><--data><.pedigree><--again><make up>"
    told = "<--pets><my pets><--again><make up DATA='my data'>"
    assert ran("demo", "DATA=my data", "PETS=my pets") == f"<demo><--data><my data>{told}"
    assert ran("up", "DATA=my data") == "<up><--data><my data>"
