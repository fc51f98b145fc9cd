"""Settings against overfitting, and for breeds with few photos. All of them are off unless asked for."""

from pydantic import Field

from ml.config_augment import SHARE
from ml.config_rules import Mixing, Probability, Strict


class Regularising(Strict):
    """What is added to a recipe."""

    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="certainty that is taken from the true breed and shared among all",
        json_schema_extra=SHARE,
    )
    mixup: Mixing = Field(0.0, description="lay two photos over each other, in shares of Beta(mixup, mixup); 0: never")
    cutmix: Mixing = Field(
        0.0, description="put a piece of one photo into another, in shares of Beta(cutmix, cutmix); 0: never"
    )
    erase: Probability = Field(
        0.0, description="chance that a rectangle of a photo is blanked", json_schema_extra=SHARE
    )
    trivial_augment: bool = Field(
        False, description="change each photo in one more way, as strongly as chance has it (TrivialAugment)"
    )
    balance_loss: Probability = Field(
        0.0, description="weigh mistakes in rare breeds more; 1: each breed counts as much in all, 0: each photo does"
    )
    balance_sampling: Probability = Field(
        0.0, description="show photos of rare breeds more often; 1: each breed as often, 0: each photo once"
    )
    weight_averaging: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay of a running mean of the weights, which is then what is measured and kept; 0: none",
    )
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        description="epochs without a lower validation loss after which a phase ends, and its best epoch's weights "
        "are kept; 0: each phase runs to its end",
        json_schema_extra={"unit": "epochs"},
    )
