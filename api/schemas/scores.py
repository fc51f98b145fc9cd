"""What a model's scores mean, which its loss decides."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from ml.config import LossName

ScoresKind = Literal["sum_to_one", "independent"]

INDEPENDENT_NOTE = (
    "Each breed is scored on its own: the scores do not sum to 1, and the model's own of a picture that shows none of "
    "the breeds can be low everywhere. Calibrated is the first breed's; the others keep their order."
)


class Scoring(BaseModel):
    """How to read the scores. ``note`` says, where they are not probabilities of one choice, what they are."""

    loss: LossName = Field(description="what the model was trained with")
    scores: ScoresKind
    note: str | None = None

    @classmethod
    def of_loss(cls, loss: LossName, **more: Any) -> Self:  # noqa: ANN401 - the fields of a subclass
        if loss == "binary_cross_entropy":
            return cls(loss=loss, scores="independent", note=INDEPENDENT_NOTE, **more)
        return cls(loss=loss, scores="sum_to_one", **more)


def loss_of(config: dict[str, Any]) -> LossName:
    """The loss of a recorded config; those of before there was a choice name none."""
    loss: LossName = config.get("loss", "cross_entropy")
    return loss
