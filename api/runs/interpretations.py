"""A stored interpretation with what an answer must say of it."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from sqlalchemy.orm import Session

from api.schemas.runs import InterpretationOut
from api.schemas.scores import Scoring, loss_of
from ml.config import LossName
from store.db.models import Dataset, Interpretation, Run
from store.db.reading import get_run, interpretation_of, interpretations_of

ABOUT: dict[str, Any] = {
    "Pedigree-Dataset": {"description": "the dataset's name", "schema": {"type": "string"}},
    "Pedigree-Revision": {"description": "the dataset's revision", "schema": {"type": "string"}},
    "Pedigree-Drawn": {
        "description": "whether its pictures are drawn, not photographed: true or false",
        "schema": {"type": "string"},
    },
    "Pedigree-Side": {"description": "validation or all", "schema": {"type": "string"}},
    "Pedigree-TTA": {"description": "whether the scores are averages: true or false", "schema": {"type": "string"}},
    "Pedigree-Loss": {"description": "what the model was trained with", "schema": {"type": "string"}},
    "Pedigree-Scores": {"description": "sum_to_one or independent", "schema": {"type": "string"}},
}
"""The headers of answers that are lists or files and have no other place to say what they are about."""


@dataclass(frozen=True)
class StoredInterpretation:
    """An interpretation, the dataset that it is about, the run's own dataset and the loss of its training."""

    interpretation: Interpretation
    dataset: Dataset
    own_dataset_id: int
    loss: LossName

    @classmethod
    def of(cls, session: Session, run_id: int, dataset: str | None, *, with_items: bool = True) -> Self:
        """Read it: on the run's own validation photos, or on a named dataset.

        Raises:
            NotFound: there is no such run or dataset.
            WrongKind: a run of this kind is never interpreted.
            NotReady: the run has not been interpreted on it.
        """
        found = interpretation_of(session, run_id, dataset, with_items=with_items)
        run = get_run(session, run_id)
        return cls(found, session.get_one(Dataset, found.dataset_id), run.dataset_id, loss_of(run.config))

    @property
    def side(self) -> Literal["validation", "all"]:
        """Which of the dataset's pictures."""
        return "validation" if self.dataset.id == self.own_dataset_id else "all"

    def headers(self) -> dict[str, str]:
        """What ``ABOUT`` describes."""
        return {
            "Pedigree-Dataset": self.dataset.name,
            "Pedigree-Revision": self.dataset.revision,
            "Pedigree-Drawn": str(self.dataset.drawn).lower(),
            "Pedigree-Side": self.side,
            "Pedigree-TTA": str(self.interpretation.tta).lower(),
            "Pedigree-Loss": self.loss,
            "Pedigree-Scores": Scoring.of_loss(self.loss).scores,
        }


def all_stored(session: Session, run: Run) -> list[InterpretationOut]:
    """What a run's record says of its interpretations."""
    return [
        InterpretationOut(
            dataset=dataset.name,
            side="validation" if dataset.id == run.dataset_id else "all",
            tta=found.tta,
            error_rate=found.error_rate,
            job=found.job_id,
        )
        for found, dataset in interpretations_of(session, run.id)
    ]
