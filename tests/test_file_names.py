"""Names that two rooms know which may not import each other."""

from ml import run_files
from store import keys


def test_learning_and_the_store_call_a_models_files_by_the_same_names() -> None:
    learning = (
        run_files.WEIGHTS,
        run_files.DESCRIPTION,
        run_files.PREDICTIONS,
        run_files.JUDGEMENT,
        run_files.FEATURES,
    )
    assert learning == (keys.MODEL, keys.DESCRIPTION, keys.PREDICTIONS, keys.JUDGEMENT, keys.FEATURES)
