"""The training configuration: one definition is the HTTP schema, the worker's input and the record.

Imports no torch, so that the API and the command can use it. Names and defaults are the workflow's own
(workflow of the fastai book, chapter 5).
"""

import operator
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Discriminator, Field, JsonValue, Tag, TypeAdapter, model_validator

from ml.config_augment import SHARE, Augment
from ml.config_devices import LEAST_PER_DEVICE, SeveralDevices
from ml.config_phases import LR_MAX, Phase, ResolvedPhase, check_pair, resolve_phase, spread_rates
from ml.config_regularising import Regularising
from ml.config_rules import AutoRate, Divisor, LrMax, Rate, Strict, TrainSize
from ml.config_rules import refusal as refusal  # noqa: PLC0414  # what checks a request takes it from here too

LossName = Literal["cross_entropy", "binary_cross_entropy"]
PIXELS: dict[str, JsonValue] = {"unit": "pixels"}
PHOTOS: dict[str, JsonValue] = {"unit": "photos"}
RECIPE = "the order in which head and body are trained"


def _all_or_none_named(config: BaseModel, first: str, second: str) -> bool:
    """Whether a rule over two fields can be judged: where one is named, the other may yet be inherited."""
    return len({first, second} & config.model_fields_set) != 1


class LrSweep(Strict):
    """How a learning rate is searched: mock trainings whose rate rises from step to step (workflow-spec 8)."""

    start_lr: Rate = Field(1e-7, description="the rate that a sweep begins with")
    end_lr: Rate = Field(10.0, description="the rate that a sweep ends with")
    steps: int = Field(100, ge=2, le=1000, description="steps of one sweep; below 50 the suggestions see few points")
    sweeps: int = Field(3, ge=1, le=10, description="sweeps, each over other batches; their spread is the doubt")
    stop_early: bool = Field(True, description="end a sweep when its smoothed loss is 4 times its best")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if _all_or_none_named(self, "start_lr", "end_lr") and self.start_lr >= self.end_lr:
            detail, hint = f"it is not below end_lr {self.end_lr}", "Lower start_lr or raise end_lr."
            raise refusal(detail, hint, field="start_lr", value=self.start_lr)
        return self


class _Settings(Strict):
    """The settings that people ask for first."""

    arch: str = Field(
        "resnet34",
        min_length=1,
        max_length=64,
        pattern=r"^[a-z0-9_]+$",
        description="the network, by torchvision's name",
    )
    pretrained: bool = Field(
        True, description="begin with published weights; without them the body learns from nothing"
    )
    presize: int = Field(
        460,
        ge=32,
        le=1024,
        description="side to which each photo is cut once, before it is changed",
        json_schema_extra=PIXELS,
    )
    size: int = Field(
        224, ge=32, le=1024, description="side of the photos that the network sees", json_schema_extra=PIXELS
    )
    train_size: TrainSize = Field(
        "size",
        description="side of the photos in training, where it is to be less than in measuring and answering; a pair "
        "grows from one to the other; size: as size, which it never passes",
        json_schema_extra=PIXELS,
    )
    min_scale: float = Field(
        0.75,
        gt=0,
        le=1,
        description="least part of a photo that a training sees of it at once",
        json_schema_extra=SHARE,
    )
    augment: Augment = Field(Augment(), description="random changes of each training photo")
    batch_size: int = Field(
        64,
        ge=2,
        le=4096,
        description="photos that are learned from at once; fewer need less memory",
        json_schema_extra=PHOTOS,
    )
    valid_pct: float = Field(
        0.2, gt=0, lt=1, description="part of the photos that is kept for measuring", json_schema_extra=SHARE
    )
    split_seed: int = Field(42, ge=0, lt=2**63, description="decides which photos are kept for measuring")
    split: Literal["given", "random"] = Field(
        "given",
        description="given: the dataset's own split where it has one, else by valid_pct and split_seed; random: always "
        "by these. What a dataset gives for test is never trained or validated on.",
    )
    seed: int = Field(42, ge=0, lt=2**63, description="decides all other chance: order, changes, first weights")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="number format; half the bits are quicker on a GPU, and auto takes them where that is safe"
    )
    loss: LossName = Field(
        "cross_entropy", description="cross_entropy: one breed each; binary_cross_entropy: may say that it is none"
    )
    weight_decay: float = Field(
        0.01, ge=0, le=10, allow_inf_nan=False, description="how strongly large weights are pulled towards 0"
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="each layer of the body learns at this share of the one behind it, beside its group's rate; 1: "
        "groups alone count",
    )
    lr_sweep: LrSweep = Field(LrSweep(), description="how a rate is searched, by lr_find and for auto")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if isinstance(self.train_size, tuple) and self.train_size[0] > self.train_size[1]:
            first, last = self.train_size
            raise refusal(f"it falls from {first} to {last}", f"Give [{last}, {first}].", field="train_size")
        if _all_or_none_named(self, "size", "presize") and self.size > self.presize:
            detail, hint = f"it is larger than presize {self.presize}", "Raise presize or lower size."
            raise refusal(detail, hint, field="size", value=self.size)
        return self


class TrainSettings(Regularising, _Settings):  # the last base's fields come first
    """What every recipe shares. Sizes are in pixels."""


class Training(SeveralDevices, TrainSettings):
    """What every recipe shares that may train on several devices."""

    @model_validator(mode="after")
    def _each_device_has_photos(self) -> Self:
        if isinstance(self.devices, str) or self.devices == 1 or not _all_or_none_named(self, "devices", "batch_size"):
            return self
        if self.batch_size < LEAST_PER_DEVICE * self.devices:
            detail = f"a batch of {self.batch_size} has fewer than {LEAST_PER_DEVICE} photos for each of them"
            hint = f"Lower devices, or set batch_size to {LEAST_PER_DEVICE * self.devices} or more."
            raise refusal(detail, hint, field="devices", value=self.devices)
        return self


class FineTune(Training):
    """Head first, then everything at half the rate, spread over the groups."""

    recipe: Literal["fine_tune"] = Field("fine_tune", description=RECIPE)
    epochs: int = Field(2, ge=1, le=1000, description="times through all training photos once the body is free")
    freeze_epochs: int = Field(1, ge=0, le=1000, description="times through them before, with the head alone")
    base_lr: AutoRate = Field(2e-3, description="highest learning rate of the head; auto: a search finds it")
    lr_mult: Divisor = Field(100.0, description="the first layers learn so many times more slowly than the head")

    def phases(self) -> tuple[ResolvedPhase, ...]:
        """The two schedules of fine_tune (workflow-spec 7.3): base_lr is halved for the second.

        With ``"auto"`` the rate is found once, before the first of them. A rate that is given takes the same way from
        multiples to rates, so that the one that was found, given, makes the same run bit for bit.
        """
        auto = self.base_lr == "auto"
        head = ResolvedPhase(
            freeze=True,
            epochs=self.freeze_epochs,
            lr_max=(0.1, 0.1, 1.0),
            auto="find" if auto else None,
            pct_start=0.99,
            div=25.0,
            div_final=1e5,
        )
        whole = ResolvedPhase(
            freeze=False,
            epochs=self.epochs,
            lr_max=spread_rates(0.5 / self.lr_mult, 0.5),
            auto=("found" if self.freeze_epochs else "find") if auto else None,
            pct_start=0.3,
            div=5.0,
            div_final=1e5,
        )
        both = (head, whole) if self.freeze_epochs else (whole,)
        return both if self.base_lr == "auto" else tuple(phase.at_rate(self.base_lr) for phase in both)


class OneCycle(Training):
    """A single one-cycle schedule, frozen or not."""

    recipe: Literal["one_cycle"] = Field(description=RECIPE)
    epochs: int = Field(3, ge=1, le=1000, description="times through all training photos")
    lr_max: LrMax = Field(3e-3, description=LR_MAX)
    freeze: bool = Field(True, description="train the head alone and leave the pretrained body as it is")

    @model_validator(mode="after")
    def _pair_is_ordered(self) -> Self:
        check_pair(self.lr_max)
        return self

    def phases(self) -> tuple[ResolvedPhase, ...]:
        """One phase with fastai's fit_one_cycle defaults (workflow-spec 7.2)."""
        return (resolve_phase(Phase(freeze=self.freeze, epochs=self.epochs, lr_max=self.lr_max)),)


class Probe(TrainSettings):
    """The head alone, on what the published body makes of each photo once: seconds an epoch, no random changes."""

    recipe: Literal["probe"] = Field(description=RECIPE)
    epochs: int = Field(10, ge=1, le=1000, description="times through what the body made of the training photos")
    lr_max: LrMax = Field(2e-3, description=LR_MAX)

    @model_validator(mode="after")
    def _changes_no_photo(self) -> Self:
        for name in ("cutmix", "erase", "trivial_augment"):
            if value := getattr(self, name):
                hint = f"Leave {name} out, or take another recipe."
                raise refusal("it changes photos, and a probe reads each as it is", hint, field=name, value=value)
        return self

    def phases(self) -> tuple[ResolvedPhase, ...]:
        """One phase with the body frozen."""
        return (resolve_phase(Phase(freeze=True, epochs=self.epochs, lr_max=self.lr_max)),)


class Phases(Training):
    """Any sequence of phases."""

    recipe: Literal["phases"] = Field(description=RECIPE)
    phases_: tuple[Phase, ...] = Field(
        alias="phases", min_length=1, max_length=32, description="what is done one after the other"
    )

    def phases(self) -> tuple[ResolvedPhase, ...]:
        """Each phase with its rates spread over the groups."""
        return tuple(resolve_phase(phase) for phase in self.phases_)


class LrFind(TrainSettings):
    """A search for a learning rate, on a fresh model or on a run's, with the body frozen or not; trains nothing."""

    freeze: bool = Field(True, description="search for the head alone, with the pretrained body left as it is")


class AddedBreeds(Strict):
    """Breeds that came to a run's own dataset's, from the photos of another dataset."""

    dataset: str
    revision: str = Field(description="of that dataset, when they were added")
    breeds: tuple[str, ...]


class ResolvedConfig(Training):
    """What a run records and trains: settings and phases, nothing left to choose.

    Where breeds were added, ``phases`` is empty: what was trained before stays as it is.
    """

    recipe: Literal["fine_tune", "one_cycle", "probe", "phases", "add_breeds"]
    phases: tuple[ResolvedPhase, ...]
    added: tuple[AddedBreeds, ...] = Field((), exclude_if=operator.not_, description="the first to come are first")

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)

    def vocab(self, of_dataset: Iterable[str]) -> tuple[str, ...]:
        """What the model knows, in the order of its classes: the dataset's breeds, and those that were added."""
        return tuple(sorted({*of_dataset, *(breed for one in self.added for breed in one.breeds)}))

    @property
    def feature_epochs(self) -> int:
        """Of these, those that train the head on what the body made of each photo once; they come first."""
        return self.epochs if self.recipe == "probe" else 0

    def on_features(self, phase: int) -> bool:
        """Whether phase number ``phase``, from 0, is of these epochs."""
        return phase == 0 and self.feature_epochs > 0


def _recipe_of(value: Any) -> str:  # noqa: ANN401 - pydantic hands over whatever the caller sent
    if isinstance(value, dict):
        return str(value.get("recipe", "fine_tune"))
    return str(getattr(value, "recipe", "fine_tune"))


TrainConfig = Annotated[
    Annotated[FineTune, Tag("fine_tune")]
    | Annotated[OneCycle, Tag("one_cycle")]
    | Annotated[Probe, Tag("probe")]
    | Annotated[Phases, Tag("phases")],
    Discriminator(
        _recipe_of,
        custom_error_type="unknown_recipe",
        custom_error_message="it is no recipe",
        custom_error_context={
            "field": "recipe",
            "detail": "it is no recipe",
            "hint": "Give 'fine_tune', 'one_cycle', 'probe' or 'phases'.",
        },
    ),
]
train_config: TypeAdapter[FineTune | OneCycle | Probe | Phases] = TypeAdapter(TrainConfig)


def resolve(config: FineTune | OneCycle | Probe | Phases) -> ResolvedConfig:
    """Turn a recipe into the phases it means.

    Raises:
        ValueError: as :func:`complete`.
    """
    config = complete(config)
    shared = {name: getattr(config, name) for name in Training.model_fields if name in type(config).model_fields}
    return ResolvedConfig(recipe=config.recipe, phases=config.phases(), **shared)


Settings = TypeVar("Settings", bound=TrainSettings)


def complete(config: Settings) -> Settings:
    """The config with its defaults as if they had been named: nothing will be inherited any more.

    Raises:
        ValueError: what is named does not fit a default (pydantic's ``ValidationError``).
    """
    return type(config).model_validate(config.model_dump(by_alias=True))


def inherit(config: Settings, parent: TrainSettings) -> Settings:
    """Give a config that goes on from a run that run's settings wherever it names none of its own.

    The seed is an exception: an unnamed one is the parent's plus one, so that the same draws are not seen again. So are
    the devices, of which the next host may have other ones.

    Raises:
        ValueError: what is named does not fit what is inherited (pydantic's ``ValidationError``).
    """
    own = config.model_dump(exclude_unset=True, by_alias=True)
    settings = parent.model_dump(include=set(TrainSettings.model_fields))
    for name in {"augment", "lr_sweep"} & own.keys():
        own[name] = {**settings[name], **own[name]}
    return type(config).model_validate({**settings, "seed": (parent.seed + 1) % 2**63, **own})


def config_of_job(config: Mapping[str, Any]) -> ResolvedConfig | LrFind:
    """A training's config or a search's, from its JSON: only a training's has phases.

    Raises:
        ValueError: it is neither's (pydantic's ``ValidationError``).
    """
    return (ResolvedConfig if "phases" in config else LrFind).model_validate(config)
