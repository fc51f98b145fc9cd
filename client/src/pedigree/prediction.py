"""What is answered for pictures."""

from collections.abc import Iterator, Sequence
from typing import overload

from pedigree import html, schemas
from pedigree.errors import PedigreeError

Answer = schemas.Prediction | schemas.FailedPicture


class Answers(Sequence[Answer]):
    """An answer for each picture, in their order; ``model`` gave them."""

    def __init__(self) -> None:
        self.model: schemas.ServedModel | None = None
        self._answers: list[Answer] = []

    @property
    def version(self) -> int | None:
        """The version that answered."""
        return None if self.model is None else self.model.version

    @property
    def broken(self) -> list[schemas.FailedPicture]:
        """Those that are no pictures, each with its ``error``."""
        return [answer for answer in self if isinstance(answer, schemas.FailedPicture)]

    def add(self, more: schemas.Predictions) -> None:
        """Take in the answer to one request."""
        self.model = more.model
        self._answers += more.predictions

    @overload
    def __getitem__(self, index: int) -> Answer: ...

    @overload
    def __getitem__(self, index: slice) -> list[Answer]: ...

    def __getitem__(self, index: int | slice) -> Answer | list[Answer]:
        return self._answers[index]

    def __len__(self) -> int:
        return len(self._answers)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._answers)

    def _repr_html_(self) -> str:
        return html.table(("file", "breed", "probability", "in words"), [_row(answer) for answer in self])


def one_of(answer: schemas.Predictions) -> schemas.Prediction:
    """The answer for a lone picture.

    Raises:
        PedigreeError: it is none.
    """
    [found] = answer.predictions
    if isinstance(found, schemas.FailedPicture):
        raise PedigreeError(found.error.detail, code=found.error.code, hint=found.error.hint, field=found.filename)
    return found


def _row(answer: Answer) -> list[object]:
    if isinstance(answer, schemas.FailedPicture):
        return [answer.filename, None, None, answer.error.detail]
    return [answer.filename, answer.breed, answer.probability, answer.sentence]
