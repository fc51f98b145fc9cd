import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.saving import save
from tests.cli.service import Answer
from tests.cli.test_commands import ask

PAIR = {"kind": "near", "distance": 3, "first": "a_1.jpg", "first_label": "a", "second": "b_2.jpg", "second_label": "b"}
COUNTED = {"count": 1, "byte": 0, "near": 1, "examples": [PAIR]}
PAIRS = {
    "valid_pct": 0.2,
    "split_seed": 42,
    "near_bits": 14,
    "near_missing": None,
    "complete": True,
    "across_split": {**COUNTED, "valid_items": 1},
    "labels_differ": COUNTED,
    "anywhere": {**COUNTED, "count": 5, "byte": 2, "near": 3},
}
DATASET: dict[str, Any] = {
    "name": "pets",
    "revision": "0" * 64,
    "revision_number": 2,
    "drawn": False,
    "items": 12,
    "breeds": 2,
    "vocab": ["a", "b"],
    "label_rule": {"kind": "regex", "regex": r"(.+)_\d+.jpg$"},
    "summary": {
        "per_breed": {"b": 7, "a": 5},
        "sizes": {"width": {"min": 40, "median": 50.5, "max": 60}, "height": {"min": 30, "median": 35, "max": 44}},
        "formats": {"GIF": 1, "JPEG": 11},
        "modes": {"P": 1, "RGB": 11},
        "disguised": {"count": 1, "examples": [{"path": "a_3.jpg", "format": "GIF"}]},
        "exclusions": {
            "no_label": {"count": 3, "examples": [{"path": "stray.jpg", "detail": "the rule does not match"}]},
            "truncated": {"count": 1, "examples": [{"path": "cut.jpg", "detail": "the JPEG data ends early"}]},
        },
    },
    "near_duplicates": PAIRS,
    "near_duplicates_missing": None,
}
STEPS = {
    "dataset": "pets",
    "drawn": False,
    "item": 0,
    "path": "a_1.jpg",
    "steps": [
        {
            "name": "label",
            "does": "'a' is class 0 of 2",
            "type": "int",
            "shape": [],
            "dtype": None,
            "low": 0,
            "high": 0,
        },
        {
            "name": "open",
            "does": "a_1.jpg",
            "type": "JPEG",
            "shape": [30, 40],
            "dtype": None,
            "low": None,
            "high": None,
        },
    ],
    "collated": {
        "fits": False,
        "items": [0, 1],
        "paths": ["a_1.jpg", "a_2.jpg"],
        "shapes": [[30, 40, 3], [44, 30, 3]],
        "reason": "they do not fit",
        "fix": "Add a resize.",
    },
}


def test_a_dataset_is_shown_with_what_was_left_out_and_its_near_duplicates(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"GET /datasets/pets?valid_pct=0.5": [Answer(DATASET)]}
    code, out, _, _ = ask(capsys, monkeypatch, answers, "datasets", "show", "pets", "--valid-pct", "0.5")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert "width 40 to 60 pixels, median 50.5" in lines
    assert "formats 1 GIF, 11 JPEG" in lines
    assert r"label in the file name: the group of (.+)_\d+.jpg$" in lines
    assert "no label matches 3 stray.jpg the rule does not match" in lines
    assert "broken 1 cut.jpg the JPEG data ends early" in lines
    assert "a_3.jpg GIF" in lines
    assert "anywhere 2 3" in lines
    assert "across the split (valid_pct 0.2, seed 42) 0 1" in lines
    assert "1 validation item has a duplicate that is trained on." in lines
    assert "a_1.jpg b_2.jpg near-duplicate, 3 of 128 bits differ" in lines
    assert "a_1.jpg (a) b_2.jpg (b) near-duplicate, 3 of 128 bits differ" in lines
    assert lines[-1] == "b 7"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"near_duplicates": None, "near_duplicates_missing": "the manifest is gone"},
            "Duplicates are unknown: the manifest is gone",
        ),
        (
            {"near_duplicates": {**PAIRS, "near_missing": "import it again"}},
            "Near-duplicates are unknown: import it again.",
        ),
        ({"summary": {}}, "breeds    2"),
        ({"summary": {"disguised": {"count": 1, "examples": ["old_1.jpg"]}}}, "old_1.jpg"),
    ],
)
def test_what_the_service_does_not_know_is_said_or_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], sentence: str
) -> None:
    answers = {"GET /datasets/pets": [Answer({**DATASET, **changes})]}
    code, out, _, _ = ask(capsys, monkeypatch, answers, "datasets", "show", "pets")
    assert code == 0
    assert sentence in out


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (
            ("batch", "--split", "valid", "--n", "4", "--seed", "3"),
            "batch.png?split=valid&n=4&seed=3&augment=both&valid_pct=0.2&split_seed=42",
        ),
        (("presizing", "--item", "7"), "presizing.png?item=7&seed=0"),
    ],
)
def test_a_picture_is_saved_where_it_is_asked_to(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: tuple[str, ...],
    asked: str,
) -> None:
    verb, *options = words
    out_file = tmp_path / "out.png"
    answers = {f"GET /datasets/pets/{asked}": [Answer("x" * 3000, kind="image/png")]}
    code, out, _, service = ask(capsys, monkeypatch, answers, "datasets", verb, "pets", str(out_file), *options)
    assert (code, out) == (0, f"{out_file}: 2 KiB\n"), service.asked
    assert out_file.read_bytes() == b"x" * 3000


def test_a_picture_that_cannot_be_saved_or_drawn_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = tmp_path / "missing" / "out.png"
    answers = {"GET /datasets/pets/presizing.png?item=0&seed=0": [Answer("x", kind="image/png")]}
    code, _, err, _ = ask(capsys, monkeypatch, answers, "datasets", "presizing", "pets", str(nowhere))
    assert (code, err) == (1, f"pedigree: {nowhere} cannot be written: No such file or directory.\n")
    problem = {"detail": "dataset 'pets' has 10 items, and no item 99", "hint": "Give less.", "code": "not_found"}
    answers = {"GET /datasets/pets/presizing.png?item=99&seed=0": [Answer(problem, 404)]}
    words = ("datasets", "presizing", "pets", str(tmp_path / "out.png"), "--item", "99")
    code, _, err, _ = ask(capsys, monkeypatch, answers, *words)
    assert (code, err) == (1, "pedigree: dataset 'pets' has 10 items, and no item 99. Give less.\n")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("verb", ["batch", "presizing"])
@pytest.mark.parametrize("name", ["b.jpg", "b", "b.png.jpeg", ".png"])
def test_a_png_is_not_written_under_another_formats_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str, name: str
) -> None:
    code, _, err, service = ask(capsys, monkeypatch, {}, "datasets", verb, "pets", str(tmp_path / name))
    assert code == 2
    assert "does not end in .png" in err
    assert (service.asked, list(tmp_path.iterdir())) == ([], [])


def test_a_folder_in_a_pictures_place_is_refused_before_anything_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "out.png").mkdir()
    code, _, err, service = ask(capsys, monkeypatch, {}, "datasets", "batch", "pets", str(tmp_path / "out.png"))
    assert (code, service.asked) == (2, [])
    assert "is a directory" in err


def test_a_picture_replaces_one_that_is_there_and_a_link_leads_where_it_led(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "real.png").write_bytes(b"old")
    (tmp_path / "out.PNG").symlink_to(Path("kept") / "real.png")
    save(b"new", tmp_path / "out.PNG")
    assert (tmp_path / "kept" / "real.png").read_bytes() == b"new"
    assert (tmp_path / "out.PNG").is_symlink()
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["real.png"]


def test_a_picture_that_does_not_fit_on_the_disk_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"old")
    # The system refuses more than 1000 bytes of a file as it refuses more than a disk holds.
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from cli.saving import save; from cli.errors import CommandError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: save(bytes(3000), Path(sys.argv[1]))\n"
        "except CommandError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(out)], capture_output=True, text=True, check=True)
    assert ended.stdout == f"{out} cannot be written: File too large.\n"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_the_steps_of_an_item_are_a_table_and_the_mend_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = "GET /datasets/pets/summary?item=0&presize=460&size=224&resize=false&seed=0"
    words = ("datasets", "summary", "pets", "--no-resize")
    code, out, _, _ = ask(capsys, monkeypatch, {asked: [Answer(STEPS)]}, *words)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert "label int 0 to 0 'a' is class 0 of 2" in lines
    assert "open JPEG 30 x 40 a_1.jpg" in lines
    assert "No batch can be made: they do not fit." in lines
    assert lines[-3:] == ["item 0 30 x 40 x 3 a_1.jpg", "item 1 44 x 30 x 3 a_2.jpg", "Add a resize."]
    _, out, _, _ = ask(capsys, monkeypatch, {asked: [Answer(STEPS)]}, *words, "--json")
    assert json.loads(out) == STEPS
