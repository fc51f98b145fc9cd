from api.kept.tally import DayCounts
from ml.decode.appearance import Appearance
from ml.decode.image_kind import KINDS
from tests.api.kept.conftest import BLUE, RED


def test_what_a_model_cannot_say_is_not_counted() -> None:
    counted = DayCounts()
    for known in (True, None, False, True, None):
        counted.note_known(known)
    assert counted.figures([]) == {"known": [1, 2]}


def test_two_counts_add_up_also_where_one_has_a_figure_less() -> None:
    one, other = DayCounts(), DayCounts()
    one.breeds["pug"] += 1
    one.add_photo(RED)
    for data in (BLUE, b"RIFF....WEBP", b"nothing"):
        other.add_photo(data)
    other.add_value("probability", 0.99)
    other.breeds.update({"pug": 2, "Birman": 3})
    both = one.with_more(other).figures(["Birman", "pug"])
    assert both["breeds"] == [3, 3]
    assert {KINDS[place]: count for place, count in enumerate(both["kind"]) if count} == {
        "jpg": 2,
        "webp": 1,
        "other": 1,
    }
    assert (sum(both["brightness"]), both["probability"][-1], sum(both["probability"])) == (2, 1, 1)


def test_breeds_that_the_model_does_not_have_are_left_out_and_ends_hold_what_lies_outside() -> None:
    counted = DayCounts()
    counted.breeds.update({"pug": 1, "quokka": 5})
    counted.add_looks(0, Appearance(255.0, 300.0, 0.0, 9000, 10))
    figures = counted.figures(["pug"])
    assert figures["breeds"] == [1]
    assert (figures["contrast"][-1], figures["aspect"][-1], figures["sharpness"][0]) == (1, 1, 1)
