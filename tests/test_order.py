"""The order in which several processes run the tests."""

from tests.order import spread


def test_each_process_begins_with_long_tests_and_those_of_a_folder_stay_together() -> None:
    tests = list("abcdefghij")
    folders = [None, "walk", "walk", None, "demo", None, None, "up", None, None]
    ordered = spread(tests, folders, 2)
    assert ["".join(ordered[:5]), "".join(ordered[5:])] == ["bchad", "efgij"]


def test_no_test_is_lost_where_the_parts_are_uneven_or_few_are_long() -> None:
    tests = list(range(11))
    for parts in (2, 3, 4):
        assert sorted(spread(tests, [None] * 11, parts)) == tests
        assert sorted(spread(tests, ["one folder"] * 4 + [None] * 7, parts)) == tests
