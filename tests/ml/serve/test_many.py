"""Many pictures: in order, the broken ones in their place, and never more than some batches in memory."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ml.decode.images import Limits
from ml.errors import DatasetUnusable
from ml.serve.classifier import Classifier
from ml.serve.many import Picture, predict_many
from tests.ml.pictures import jpeg
from tests.ml.serve.trained import trained

LIMITS = Limits()


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier.load(trained(tmp_path_factory.mktemp("model") / "trained"), "cpu")


def test_each_picture_has_its_answer_in_its_place(classifier: Classifier) -> None:
    photos = {f"{seed}.jpg": jpeg(60, 50, seed=seed) for seed in range(5)}
    photos["3.jpg"] = b"no picture"
    pictures = (Picture(path, partial(photos.__getitem__, path)) for path in photos)
    answers = list(predict_many(classifier, pictures, LIMITS, batch=2))
    assert [answer.path for answer in answers] == list(photos)
    for answer, data in zip(answers, photos.values(), strict=True):
        if answer.path == "3.jpg":
            assert answer.judged is None
            assert answer.error is not None
            assert answer.error.code == "not_an_image"
        else:
            alone = classifier.scores(list(classifier.run([classifier.prepare(data, LIMITS)])))
            assert answer.judged is not None
            assert answer.judged.probabilities == pytest.approx(alone, abs=1e-4)


def test_a_batch_of_broken_pictures_is_no_pass(classifier: Classifier) -> None:
    pictures = [Picture(str(number), lambda: b"broken") for number in range(5)]
    assert [answer.judged for answer in predict_many(classifier, pictures, LIMITS, batch=2)] == [None] * 5


def test_what_is_read_ahead_does_not_grow_with_how_many_there_are(classifier: Classifier) -> None:
    taken = 0

    def endless() -> Iterator[Picture]:
        nonlocal taken
        while True:
            taken += 1
            yield Picture(str(taken), lambda: b"broken")

    answers = predict_many(classifier, endless(), LIMITS, batch=4)
    for number, answer in zip(range(1, 101), answers, strict=False):
        assert answer.path == str(number)
        assert taken <= number + 2 * 4 + 1
    answers.close()  # type: ignore[attr-defined]  # it is a generator


def test_a_source_that_fails_ends_it(classifier: Classifier) -> None:
    def gone() -> bytes:
        raise DatasetUnusable("the bundle is damaged")

    with pytest.raises(DatasetUnusable):
        list(predict_many(classifier, [Picture("a", gone)], LIMITS, batch=4))


def test_no_pictures_are_no_answers(classifier: Classifier, tmp_path: Path) -> None:
    assert list(predict_many(classifier, [], LIMITS, batch=4)) == []
    assert not any(tmp_path.iterdir())
