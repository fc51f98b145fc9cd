"""An answer in words, which the page and the command show as they are."""

from collections.abc import Sequence

_NAMED_UP_TO = 0.8
_MOST_NAMED = 3


def sentence(likeliest: Sequence[tuple[str, float]], breeds: int, *, sure: bool, known: bool | None) -> str:
    """What is to be said of a picture.

    Where the model is not sure, it names as many breeds as it takes to be right in most cases, at most three and at
    least two.

    Args:
        likeliest: breeds with their probabilities, the likeliest first.
        breeds: how many the model knows.
        sure: whether it is sure of the first.
        known: whether the picture looks like any of them.
    """
    names = [breed.replace("_", " ") for breed, _ in likeliest]
    if known is False:
        return f"probably none of the {breeds} breeds" if breeds > 1 else f"probably no {names[0]}"
    if sure:
        return names[0]
    if len(names) == 1:
        return f"not sure that it is {names[0]}"
    named = names[: _count(likeliest)]
    return f"not sure between {', '.join(named[:-1])} and {named[-1]}"


def _count(likeliest: Sequence[tuple[str, float]]) -> int:
    together = 0.0
    for count, (_, probability) in enumerate(likeliest[:_MOST_NAMED], 1):
        together += probability
        if count > 1 and together >= _NAMED_UP_TO:
            return count
    return min(len(likeliest), _MOST_NAMED)
