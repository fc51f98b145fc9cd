"""What can be set of a job, and what there is to choose from."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.jobs import InterpretConfig, PredictRequest
from ml.config import FineTune, LrFind, OneCycle, Phases, Probe, TrainSettings
from ml.config_fields import GROUPS, ConfigField, fields_of
from ml.presets import PRESETS

Kind = Literal["train", "lr_find", "interpret", "predict"]
RecipeName = Literal["fine_tune", "one_cycle", "probe", "phases"]
_RECIPES: dict[RecipeName, type[TrainSettings]] = {
    "fine_tune": FineTune,
    "one_cycle": OneCycle,
    "probe": Probe,
    "phases": Phases,
}
_SHARED = frozenset(field.name for field in fields_of(TrainSettings))


class ConfigFieldOut(BaseModel):
    """A field of a job's config: what it means and what it may be."""

    name: str = Field(description="as `--set` and the JSON have it: dots go inwards, `[]` is each of a list")
    meaning: str
    type: str = Field(description="number, whole number, switch, choice, text or list")
    group: str
    default: Any = Field(description="null where there is none")
    is_required: bool
    choices: list[str] | None
    words: list[str] = Field(description="taken in place of a number")
    pair: bool = Field(description="two numbers are taken in place of one")
    unit: str | None
    least: float | None
    most: float | None
    above: float | None = Field(description="a bound that a value may not reach itself")
    below: float | None = Field(description="the same from above")
    kinds: list[Kind] = Field(description="kinds of jobs that have it")
    recipe: RecipeName | None = Field(description="the recipe that alone has it so; null: all do")


class RecipeOut(BaseModel):
    """A way to order the training of head and body."""

    name: RecipeName
    meaning: str
    fields: list[str] = Field(description="those that it has beside the shared ones")


class PresetOut(BaseModel):
    """A config to begin with; what it leaves out is at its default."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    meaning: str
    kind: Literal["train", "lr_find"]
    config: dict[str, Any]
    begins_from_run: bool = Field(description="meant to go on from a trained run")


class ConfigOut(BaseModel):
    """All that can be set of a job."""

    groups: list[str] = Field(description="in the order in which to ask")
    fields: list[ConfigFieldOut]
    recipes: list[RecipeOut]
    presets: list[PresetOut]

    @classmethod
    def of_models(cls) -> Self:
        """Read out of the models that check requests."""
        return cls(
            groups=list(GROUPS),
            fields=[*_shared(), *_of_recipes(), *_of_kinds()],
            recipes=[_recipe(name, model) for name, model in _RECIPES.items()],
            presets=[PresetOut.model_validate(preset) for preset in PRESETS],
        )


def _shared() -> list[ConfigFieldOut]:
    return [_out(field, ["train", "lr_find"]) for field in fields_of(TrainSettings)]


def _of_recipes() -> list[ConfigFieldOut]:
    return [_out(field, ["train"], name) for name, model in _RECIPES.items() for field in _own(model)]


def _of_kinds() -> list[ConfigFieldOut]:
    return [
        *(_out(field, ["lr_find"]) for field in _own(LrFind)),
        *(_out(field, ["interpret"]) for field in fields_of(InterpretConfig)),
        *(_out(field, ["predict"]) for field in fields_of(PredictRequest, leave_out={"kind"})),
    ]


def _own(model: type[TrainSettings]) -> list[ConfigField]:
    return [field for field in fields_of(model) if field.name not in _SHARED]


def _out(field: ConfigField, kinds: list[Kind], recipe: RecipeName | None = None) -> ConfigFieldOut:
    return ConfigFieldOut(
        name=field.name,
        meaning=field.meaning,
        type=field.type,
        group=field.group,
        default=field.default,
        is_required=field.is_required,
        choices=None if field.choices is None else list(field.choices),
        words=list(field.words),
        pair=field.pair,
        unit=field.unit,
        least=field.least,
        most=field.most,
        above=field.above,
        below=field.below,
        kinds=kinds,
        recipe=recipe,
    )


def _recipe(name: RecipeName, model: type[TrainSettings]) -> RecipeOut:
    return RecipeOut(name=name, meaning=model.__doc__ or "", fields=[field.name for field in _own(model)])
