"""`pedigree demo` as a whole, on a few small pictures and a body whose weights are drawn by lot."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import mobilenet_v2

from cli.client import Client
from cli.data_folder import DataFolder
from cli.demo import guess, how_it_goes_on
from cli.epochs import WHOLE
from cli.errors import CommandError
from tests.cli.pictures import draw_pictures
from tests.cli.service import Answer, serving
from tests.cli.terminal import CTRL_C, terminal, usual
from tests.cli.test_up import COMMAND, all_gone, environment
from tests.examples.test_readme_outputs import END, SCREEN


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder with weights in reach, and a folder of photos."""
    home = tmp_path_factory.mktemp("demo")
    data, pictures = home / "data", home / "photos"
    draw_pictures(pictures, each=30)
    for name in ("index.txt", "cover.jpg", "cut_1.jpg"):
        (pictures / name).write_bytes(b"no picture")
    (data / "weights").mkdir(parents=True)
    torch.manual_seed(1)
    save_file(mobilenet_v2().state_dict(), data / "weights" / "mobilenet_v2.safetensors")
    return data, pictures


@pytest.mark.long
@pytest.mark.timeout(600)  # a service, a training, a prediction
def test_on_a_terminal_the_page_stays_up_after_the_demo_until_ctrl_c(places: tuple[Path, Path]) -> None:
    data, pictures = places
    words = ("demo", "--data", str(data), "--pets", str(pictures), "--epochs", "1", "--again", "make up")
    with terminal(*words, environment=usual()) as shown:
        for step in ("» Adding the photos", "» Looking for", "» Training", "» Run 1, epoch by epoch", "» Done in"):
            shown.shows(step)
        shown.shows("Ctrl-C stops it; `make up` starts it again.")
        stack = json.loads((data / "stack.json").read_text())
        [page] = re.findall(r"^The page is at (http\S+/) to try the model$", shown.text, re.MULTILINE)
        [run] = re.findall(r"^The run that made the model is at (http\S+/1)$", shown.text, re.MULTILINE)
        assert f"The page is at {page} and shows what follows as it happens" in shown.lines
        for address in (page, run):
            answer = httpx.get(address, trust_env=False, follow_redirects=True)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        with (pictures / "pug_1.jpg").open("rb") as photo:
            answer = httpx.post(f"{page}predict", files={"file": photo}, trust_env=False, timeout=60.0)
        assert answer.json()["model"]["run"] == 1
        shown.press(CTRL_C)
        shown.shows("stopping the service…")
        code, said = shown.ended(), shown.text + "\n"
    assert code == 0, said
    assert said.endswith("stopped; `make up` finds everything as it was\n")
    assert all_gone(stack["pids"])
    assert not (data / "stack.json").exists()
    for line in (*SCREEN.partition("\n\n")[0].splitlines(), WHOLE.header(), *END.splitlines()):
        assert re.search(as_the_readme_shows(line, data), "".join(said.split())), line
    assert re.search(r"^90 photos of 3 breeds, revision 1 \([0-9a-f]{12}\)$", said, re.MULTILINE)
    assert shown.has("3 files left out: 2 of no image format, 1 without a label (`datasets show` and the page say")
    assert shown.has("(folder: mobilenet_v2.safetensors)")
    assert len(re.findall(r"^ *[12]\.1 ", said, re.MULTILINE)) == 4  # each epoch as it ended, and again in the table
    assert re.search(r"Error rate [01]\.\d{4} on 18 photos kept apart", said)
    answers = re.findall(r"^(\w+)_\d+\.jpg +(\w+) +(Abyssinian|beagle|pug) +[\d.]+%$", said, re.MULTILINE)
    assert len(answers) == 3
    assert all(named == true for named, true, _ in answers)
    live = {line.split()[0] for line in shown.live if not line.startswith(("»", "✓"))}
    assert {"unpack", "scan", "pack", "presize", "train"} & live, "a live line showed where the jobs stood"
    assert not re.search(r"[━─]", said), "and none of them is left"


def as_the_readme_shows(line: str, data: Path) -> str:
    """A pattern for a line of the README's terminal without its spaces, on another folder and with other figures."""
    figures = re.sub(r"\d+", r"\\d+", re.escape("".join(line.split())))
    return figures.replace(re.escape("/srv/pedigree/.pedigree"), re.escape(str(data)))


@pytest.mark.thorough
@pytest.mark.long
def test_for_a_script_the_demo_ends_by_itself_and_says_how_to_go_on(places: tuple[Path, Path]) -> None:
    data, pictures = places
    command = [*COMMAND, "demo", "--data", str(data), "--pets", str(pictures), "--epochs", "1"]
    ended = subprocess.run(command, env=environment(data), capture_output=True, text=True, check=False)
    # Said where it takes more than a moment, as on a busy machine.
    assert (ended.returncode, ended.stderr.removesuffix("the service loads the model\n")) == (0, "")
    *_, stays, how = ended.stdout.splitlines()
    assert stays == f"Pictures, run and model stay in {data}"
    again = f"`pedigree up --data {data}` starts it again"
    assert how == f"The service stops with the demo; {again}, with the page and the model."
    assert not (data / "stack.json").exists()


def test_a_job_left_by_the_demo_goes_on_by_the_words_that_were_typed() -> None:
    """`pedigree` is not in the PATH of whoever typed `make demo`."""
    folder = DataFolder(Path("/srv/pets"))
    by_make = how_it_goes_on(folder, 4, "make up")
    assert "`make up` goes on with it" in by_make
    assert "`pedigree" not in by_make
    assert "`pedigree up --data /srv/pets` goes on with it" in how_it_goes_on(folder, 4, "pedigree up --data /srv/pets")


def test_a_demo_that_is_broken_off_says_what_becomes_of_its_job(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with terminal("demo", "--data", str(data), "--again", "make up", environment=usual()) as shown:
        shown.until(lambda: shown.lines[-1:] != [] and shown.lines[-1].startswith("draw "))
        shown.press(CTRL_C)
        shown.shows("stopping the service…")
        assert shown.ended() == 130
    assert shown.has(f"pedigree: The demo was broken off, and its service is stopped; job 1 waits in {data}.")
    assert shown.has("`make up` goes on with it, and the page that it names then shows it.")
    assert "pedigree up" not in shown.text
    assert not (data / "stack.json").exists()


@pytest.mark.thorough
def test_a_demo_that_cannot_go_on_ends_in_one_line_and_stops_what_it_started(tmp_path: Path) -> None:
    data = tmp_path / "data"
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [*COMMAND, "demo", "--data", str(data), "--pets", str(empty)]
    ended = subprocess.run(command, env=environment(data), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, f"pedigree: {empty} has no files in it.\n")
    assert not (data / "stack.json").exists()
    assert not (data / "postgres" / "postmaster.pid").exists()


def test_the_demo_asks_its_own_version_and_fails_where_another_run_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = "\n".join(json.dumps({"item": item, "path": f"pug_{item}.jpg", "actual": "pug"}) for item in range(3))
    entries = [{"filename": f"pug_{item}.jpg", "breed": "pug", "probability": 0.9} for item in range(3)]

    def answered_by(run: int) -> Answer:
        return Answer({"model": {"version": 4, "run": run, "drawn": False}, "predictions": entries})

    images = {f"GET /runs/7/items/{item}/image": [Answer("a picture")] for item in range(3)}
    answers = {"GET /runs/7/predictions": [Answer(rows)], "POST /predict?model=4": [answered_by(7), answered_by(6)]}
    with serving(images | answers) as service, Client(service.url) as client:
        guess(client, 7, 4)
        assert "true breed" in capsys.readouterr().out
        with pytest.raises(CommandError, match="Run 6 answered"):
            guess(client, 7, 4)
