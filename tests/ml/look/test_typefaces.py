"""Letters beyond ASCII are drawn, or written as their number; none becomes a box."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ml.look import typefaces
from ml.look.contact_sheet import CAPTION_SIZE, WHITE, Heading, Tile, draw_sheet, fit, length, write
from ml.look.typefaces import dejavu, face_of, runs, shown

UNASSIGNED = "\U000e0fff"


def drawn(line: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = Image.new("RGB", (400, 40), "white")
    write(ImageDraw.Draw(picture), (0, 0), line, CAPTION_SIZE, WHITE.ink)
    return np.asarray(picture)


@pytest.mark.parametrize("text", ["Löwchen", "Ζεύς", "Такса", "Ałga", "Çoban köpeği", "عربي", "½ naïve – “ß”"])
def test_alphabets_are_drawn_as_they_are(text: str) -> None:
    assert fit(text, CAPTION_SIZE, 400) == text
    assert {face.family for face, _ in runs(text)} == {"DejaVu Sans"}
    # A box looks the same whatever it stands for.
    letters = [letter for letter in dict.fromkeys(text) if letter.strip()]
    assert len({drawn(letter).tobytes() for letter in letters}) == len(letters)


def test_a_letter_that_no_font_has_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    # No machine of ours has to have a font for these.
    monkeypatch.setattr(typefaces, "_of_this_machine", dict)
    assert shown("柴犬_1") == "U+67F4 U+72AC_1"
    assert shown("한 \N{DOG FACE}!") == "U+D55C U+1F436!"
    assert fit("柴犬", CAPTION_SIZE, 200) == "U+67F4 U+72AC"
    assert not np.array_equal(drawn(fit("柴犬", CAPTION_SIZE, 200)), drawn(fit("犬柴", CAPTION_SIZE, 200)))


def test_a_font_of_the_machine_is_taken_where_it_has_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    serif = typefaces.Typeface(dejavu().path.replace("DejaVuSans.ttf", "DejaVuSerif.ttf"), "DejaVu Serif")
    monkeypatch.setattr(typefaces, "_of_this_machine", lambda: {ord("柴"): serif})
    assert face_of("柴") == serif
    assert shown("a柴") == "a柴"
    assert list(runs("a柴b")) == [(dejavu(), "a"), (serif, "柴"), (dejavu(), "b")]
    assert length("a柴b", CAPTION_SIZE) > length("a柴", CAPTION_SIZE) > length("a", CAPTION_SIZE)


def test_the_machines_fonts_are_looked_through_and_none_has_what_is_no_letter() -> None:
    found = typefaces._of_this_machine()
    assert face_of(UNASSIGNED) is None
    assert shown(UNASSIGNED) == "U+E0FFF"
    assert {ord("a"), ord("ö")} <= set(found)  # Matplotlib's own are among them
    assert not [face for face in found.values() if "emoji" in face.family.lower()]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Lo\u0308wchen", "Löwchen"),
        ("a\x1b[31mb\x07", "a [31mb "),
        ("\u202egp\u200dj\ufe0f", "gpj"),
        ("a\u2028b\u00a0c", "a b c"),
    ],
)
def test_what_has_no_shape_of_its_own_leaves_no_box(text: str, line: str) -> None:
    assert shown(text) == line


def test_ascii_is_written_as_before() -> None:
    sheet = np.asarray(draw_sheet(Heading("pets · 2 pictures"), [Tile((Image.new("RGB", (90, 20)),), "pug")], 1))
    plain = np.asarray(draw_sheet(Heading("pets · 2 pictures"), [Tile((Image.new("RGB", (90, 20)),), "püg")], 1))
    assert sheet.shape == plain.shape
    assert np.array_equal(sheet[:50], plain[:50])
    assert not np.array_equal(sheet[50:], plain[50:])
