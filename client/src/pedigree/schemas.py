"""What the service answers, as its OpenAPI document says; written by ``python client/write_schemas.py``."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Anything the service sends; fields that a newer service has besides are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=(), populate_by_name=True)


class AddedBreeds(Answer):
    """Breeds that came to a run's own dataset's, from the photos of another dataset."""

    dataset: str
    revision: str
    breeds: list[str]


class BreedCountOut(Answer):
    """Of a new breed's photos, how many were taken for another."""

    breed: str
    photos: int
    wrong: int


class AddedOut(Answer):
    """What came of breeds that a run added to its parent's."""

    version: int
    breeds: list[BreedCountOut]
    photos: int
    wrong: int
    error_rate: float
    low: float
    high: float
    confidence: float
    folds: int
    taken_for_known: int
    refused: float | None
    known_photos: int
    known_error_before: float
    known_error_after: float
    taken_for_new: int
    sentence: str


class CanaryOut(Answer):
    """A version that answers a share of an alias's requests."""

    version: int
    share: float


class AliasOut(Answer):
    """An alias and what it points at."""

    alias: str
    version: int
    canary: CanaryOut | None
    before: int | None


class Ancestor(Answer):
    """A run whose weights led to this one's."""

    id: int
    name: str | None
    kind: str
    recipe: str | None
    error_rate: float | None
    deleted: bool = False


class AnswersFile(Answer):
    """One of the files that a predict job left."""

    name: str
    sha256: str
    bytes: int


class Answers(Answer):
    """What a predict job is about, and once it has succeeded what came of it."""

    version: int
    photos: int | None
    broken: int | None
    files: list[AnswersFile]


class ArtifactOut(Answer):
    """A file that the run left in the artifact store."""

    name: str
    sha256: str
    bytes: int


class Augment(Answer):
    """Random changes of each training photo. Degrees for rotation; the rest are fractions."""

    flip: bool = True
    max_rotate: float = 10.0
    max_zoom: float = 1.1
    max_lighting: float = 0.2
    max_warp: float = 0.2
    p_affine: float = 0.75
    p_lighting: float = 0.75


class Batches(Answer):
    """Steps, a column a figure; `lr` has one rate for each parameter group, `train_loss` is smoothed."""

    step: list[int]
    phase: list[int]
    raw_loss: list[float]
    train_loss: list[float]
    lr: list[list[float]]
    momentum: list[float]


class BestTrial(Answer):
    """The best trial so far."""

    trial: int
    run: int
    value: float
    settings: dict[str, Any]


State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]


class BusyJobOut(Answer):
    """A job that has not ended and works on the run, or needs its weights."""

    id: int
    kind: str
    state: State
    run: int | None = None


class CalibrationErrorOut(Answer):
    """The mean distance of confidence and accuracy over bins of equally many photos, with its 95 % interval."""

    ece: float
    low: float
    high: float
    by_chance: float


class WayOut(Answer):
    """What computes, in which numbers, from which input: exact is validation's own, direct one pass from the file."""

    engine: Literal["torch", "openvino", "cuda_graphs"]
    precision: Literal["fp32", "bf16", "fp16"]
    input: Literal["direct", "two_steps", "exact"]
    streams: int


class CandidateOut(Answer):
    """A way that was tried. `top1_equal` and `most_moved` are of the first `photos` validation photos."""

    way: WayOut
    images_per_second: float | None
    latency_ms: float | None
    top1_equal: float | None
    most_moved: float | None
    photos: int
    passed: bool
    problem: str | None


class ChildOut(Answer):
    """A run that started from this one's weights. It stays, with its own model."""

    id: int
    state: State


class ChoiceOut(Answer):
    """The same, with every way that was tried there, quickest first."""

    machine: str
    way: WayOut | None
    reason: str | None
    candidates: list[CandidateOut]
    chosen_at: datetime


class ClassScoreOut(Answer):
    """One breed's scores; null where nothing was guessed or nothing was there."""

    breed: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


class CollatedOut(Answer):
    """Whether two items make a batch; where not, `reason` says why, and `fix` what to add."""

    fits: bool
    items: list[int]
    paths: list[str]
    shapes: list[list[int]]
    reason: str | None
    fix: str | None


class ConfusedOut(Answer):
    """How often one breed was taken for another."""

    actual: str
    predicted: str
    count: int


class RunDataset(Answer):
    """Which pictures a run saw. `drawn` is true where the project drew them itself."""

    name: str
    revision: str
    revision_number: int
    drawn: bool
    breeds: int
    items: int


class Confusion(Answer):
    """The confusion matrix over the photos of a stored interpretation, with what to read in it first."""

    loss: Literal["cross_entropy", "binary_cross_entropy"]
    scores: Literal["sum_to_one", "independent"]
    note: str | None = None
    dataset: RunDataset
    side: Literal["validation", "all"]
    tta: bool
    trained_on: int
    vocab: list[str]
    matrix: list[list[int]]
    rows: str = "actual"
    columns: str = "predicted"
    n: int
    error_rate: float
    macro_error: float | None
    most_confused: list[ConfusedOut]
    per_class: list[ClassScoreOut]
    drawn: bool


class CoverageOut(Answer):
    """How often sets that were asked to hold the true breed so often did, and how many breeds they had in the mean."""

    asked: float
    found: float
    mean_size: float


class CrossingPairOut(Answer):
    """Duplicates on both sides of the split: `first` is in training, `second` in validation."""

    kind: Literal["byte", "near"]
    distance: int
    first: str
    first_label: str
    first_item: int
    second: str
    second_label: str
    second_item: int


class CrossingPairs(Answer):
    """As PairsListed, of a split; `valid_items` is how many validation items have a duplicate in training."""

    count: int
    byte: int
    near: int | None
    valid_items: int
    examples: list[CrossingPairOut]


class CurveOut(Answer):
    """What the curves of a phase say, in a word and a sentence; `phase` counts from 0."""

    phase: int | None
    word: Literal[
        "too_few_epochs", "still_improving", "flat", "over_confident", "over_fitting", "rate_too_high", "getting_worse"
    ]
    sentence: str


class MadeFrom(Answer):
    """The revision that a review made this one of, and how many labels it changed."""

    revision: str
    job: int
    relabelled: int
    dropped: int
    kept: int
    added: int


class DatasetsPairOut(Answer):
    """Equal files, or near-duplicates, whose perceptual hashes differ in `distance` of 128 bits."""

    kind: Literal["byte", "near"]
    distance: int
    first: str
    first_label: str
    first_item: int
    second: str
    second_label: str
    second_item: int


class PairsListed(Answer):
    """Pairs by kind, and the first 20 of them: equal files first, then the nearest."""

    count: int
    byte: int
    near: int | None
    examples: list[DatasetsPairOut]


class NearDuplicatesOut(Answer):
    """Images that occur twice, under one split."""

    valid_pct: float
    split_seed: int
    near_bits: int
    near_missing: str | None
    complete: bool
    across_split: CrossingPairs
    labels_differ: PairsListed
    anywhere: PairsListed


class DatasetOut(Answer):
    """A dataset with what its import found; `near_duplicates` is null where its manifest cannot be read."""

    name: str
    revision: str
    revision_number: int
    drawn: bool
    items: int
    breeds: int
    fewest: int | None
    most: int | None
    runs: int
    created_at: datetime
    vocab: list[str]
    label_rule: dict[str, Any]
    summary: dict[str, Any]
    made_from: MadeFrom | None
    near_duplicates: NearDuplicatesOut | None
    near_duplicates_missing: str | None


class DatasetSummary(Answer):
    """A dataset in a list. `drawn` is true where the project drew the images itself."""

    name: str
    revision: str
    revision_number: int
    drawn: bool
    items: int
    breeds: int
    fewest: int | None
    most: int | None
    runs: int
    created_at: datetime


class DependentsOut(Answer):
    """What hangs on a run. Lists name the first 50; the counts are of all."""

    run: int
    deletable: Literal["yes", "with_cascade", "no"]
    busy: list[BusyJobOut]
    aliases: list[str]
    version: int | None = None
    children: list[ChildOut]
    child_count: int
    predict_jobs: list[int]
    predict_job_count: int
    interpretations: list[str]
    files: int
    bytes: int


class ForecastOut(Answer):
    """Durations in seconds. `low` and `high` are what the fastest and the slowest measurement say."""

    seconds_per_epoch: list[float]
    rate_search_seconds: float
    total_seconds: float
    total_seconds_low: float | None
    total_seconds_high: float | None
    peak_memory_bytes: int | None
    device: str
    precision: str
    from_: Literal["stored", "measured"] = Field(alias="from")
    basis: str


class InterpretConfig(Answer):
    """How a run's photos are predicted again."""

    tta: bool = False
    dataset: str | None = None


class LrSweep(Answer):
    """How a learning rate is searched: mock trainings whose rate rises from step to step (workflow-spec 8)."""

    start_lr: float = 1e-07
    end_lr: float = 10.0
    steps: int = 100
    sweeps: int = 3
    stop_early: bool = True


class LrFind(Answer):
    """A search for a learning rate, on a fresh model or on a run's, with the body frozen or not; trains nothing."""

    arch: str = "resnet34"
    pretrained: bool = True
    presize: int = 460
    size: int = 224
    train_size: int | tuple[int, int] | Literal["size"] | None = None
    min_scale: float = 0.75
    augment: Augment | None = None
    batch_size: int = 64
    valid_pct: float = 0.2
    split_seed: int = 42
    split: Literal["given", "random"] = "given"
    seed: int = 42
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    lr_sweep: LrSweep | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    trivial_augment: bool = False
    balance_loss: float = 0.0
    balance_sampling: float = 0.0
    weight_averaging: float = 0.0
    patience: int = 0
    freeze: bool = True


class PredictConfig(Answer):
    """The version that would answer, and how many photos there are."""

    version: int
    photos: int


class ResolvedPhase(Answer):
    """A phase with one maximal learning rate for each parameter group."""

    freeze: bool
    epochs: int
    lr_max: tuple[float, float, float]
    auto: Literal["find", "found"] | None = None
    pct_start: float
    div: float
    div_final: float
    momentum: tuple[float, float, float] | None = None


class ResolvedConfig(Answer):
    """What a run records and trains: settings and phases, nothing left to choose."""

    arch: str = "resnet34"
    pretrained: bool = True
    presize: int = 460
    size: int = 224
    train_size: int | tuple[int, int] | Literal["size"] | None = None
    min_scale: float = 0.75
    augment: Augment | None = None
    batch_size: int = 64
    valid_pct: float = 0.2
    split_seed: int = 42
    split: Literal["given", "random"] = "given"
    seed: int = 42
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    lr_sweep: LrSweep | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    trivial_augment: bool = False
    balance_loss: float = 0.0
    balance_sampling: float = 0.0
    weight_averaging: float = 0.0
    patience: int = 0
    devices: int | Literal["all"] | None = None
    batch_norm: Literal["sync", "local"] = "sync"
    recipe: Literal["fine_tune", "one_cycle", "probe", "phases", "add_breeds"]
    phases: list[ResolvedPhase]
    added: list[AddedBreeds] | None = None


class WeightsOut(Answer):
    """Whether training can begin with published weights without a download."""

    in_reach: bool
    place: Literal["folder", "torch_cache"] | None
    file: str | None
    hint: str | None


class DryRun(Answer):
    """What a job would do, and how long it would take by what is on record; neither a job nor a run was stored."""

    config: ResolvedConfig | LrFind | InterpretConfig | PredictConfig
    forecast: ForecastOut | None
    forecast_reason: str | None
    weights: WeightsOut | None = None


class EpochOut(Answer):
    """One row of the table of epochs; `phase` and `epoch` count from 0."""

    phase: int
    epoch: int
    train_loss: float
    valid_loss: float
    error_rate: float
    seconds: float
    images_per_second: float
    peak_memory_bytes: int | None


class PictureError(Answer):
    """Why one picture of several could not be used."""

    code: str
    detail: str
    hint: str | None = None


class FailedPicture(Answer):
    """One broken picture of several."""

    filename: str
    error: PictureError


class FeedbackOut(Answer):
    """What somebody said is on the picture."""

    breed: str | None
    of_vocabulary: bool | None
    given_at: datetime


class FieldProblem(Answer):
    """One wrong field of a request."""

    field: str
    detail: str
    hint: str
    value: str | None = None


class FineTune(Answer):
    """Head first, then everything at half the rate, spread over the groups."""

    arch: str = "resnet34"
    pretrained: bool = True
    presize: int = 460
    size: int = 224
    train_size: int | tuple[int, int] | Literal["size"] | None = None
    min_scale: float = 0.75
    augment: Augment | None = None
    batch_size: int = 64
    valid_pct: float = 0.2
    split_seed: int = 42
    split: Literal["given", "random"] = "given"
    seed: int = 42
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    lr_sweep: LrSweep | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    trivial_augment: bool = False
    balance_loss: float = 0.0
    balance_sampling: float = 0.0
    weight_averaging: float = 0.0
    patience: int = 0
    devices: int | Literal["all"] | None = None
    batch_norm: Literal["sync", "local"] = "sync"
    recipe: Literal["fine_tune"] = "fine_tune"
    epochs: int = 2
    freeze_epochs: int = 1
    base_lr: float | Literal["auto"] | None = None
    lr_mult: float = 100.0


class Guess(Answer):
    """A breed with its calibrated probability, 0 to 1."""

    breed: str
    probability: float


class HeldJob(Answer):
    """A job that a worker has in hand while others wait for that worker."""

    job: int
    kind: str
    run: int | None
    state: State
    eta_seconds: float | None


class HelpfulRequest(Answer):
    """A request that does what the hint says, or shows more."""

    method: Literal["GET", "POST"]
    path: str
    body: dict[str, Any] | None = None


class InterpretationOut(Answer):
    """An interpretation that is stored; without `?dataset=` the routes answer with the one of side validation."""

    dataset: str
    side: Literal["validation", "all"]
    tta: bool
    error_rate: float
    job: int


class StepOut(Answer):
    """What an item is after a step. `low` and `high` are its least and greatest value."""

    name: str
    does: str
    type: str
    shape: list[int]
    dtype: str | None
    low: float | None
    high: float | None


class ItemSteps(Answer):
    """One item through every step from file to model input."""

    dataset: str
    drawn: bool
    item: int
    path: str
    steps: list[StepOut]
    collated: CollatedOut


class JobError(Answer):
    """Why a job failed."""

    code: str
    detail: str
    hint: str | None = None


class JobProgress(Answer):
    """Where a job stands; `stage` is a word for people. It has a time left only while it runs."""

    stage: str | None = None
    phase: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None
    eta_seconds: float | None = None
    stage_eta_seconds: float | None = None


Lane = Literal["train", "light"]


Reason = Literal["busy", "starting", "no_worker", "resting", "unpublished"]


class JobWaiting(Answer):
    """What a queued job waits for."""

    lane: Lane
    reason: Reason
    ahead: int
    behind: HeldJob | None


class PrunedOut(Answer):
    """Which search ended a training early, as which of its trials, and after which epoch, from 1."""

    study: int
    trial: int
    epoch: int


JsonValue = Any


class Limits(Answer):
    """What a trial has to keep to be the best."""

    train_minutes: float | None = None
    answer_ms: float | None = None


class OneCycle(Answer):
    """A single one-cycle schedule, frozen or not."""

    arch: str = "resnet34"
    pretrained: bool = True
    presize: int = 460
    size: int = 224
    train_size: int | tuple[int, int] | Literal["size"] | None = None
    min_scale: float = 0.75
    augment: Augment | None = None
    batch_size: int = 64
    valid_pct: float = 0.2
    split_seed: int = 42
    split: Literal["given", "random"] = "given"
    seed: int = 42
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    lr_sweep: LrSweep | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    trivial_augment: bool = False
    balance_loss: float = 0.0
    balance_sampling: float = 0.0
    weight_averaging: float = 0.0
    patience: int = 0
    devices: int | Literal["all"] | None = None
    batch_norm: Literal["sync", "local"] = "sync"
    recipe: Literal["one_cycle"]
    epochs: int = 3
    lr_max: float | tuple[float, float] | Literal["auto"] | None = None
    freeze: bool = True


class Phase(Answer):
    """One one-cycle schedule with the body frozen or not."""

    freeze: bool
    epochs: int
    lr_max: float | tuple[float, float] | Literal["auto"] | None = None
    pct_start: float = 0.25
    div: float = 25.0
    div_final: float = 100000.0


class Phases(Answer):
    """Any sequence of phases."""

    arch: str = "resnet34"
    pretrained: bool = True
    presize: int = 460
    size: int = 224
    train_size: int | tuple[int, int] | Literal["size"] | None = None
    min_scale: float = 0.75
    augment: Augment | None = None
    batch_size: int = 64
    valid_pct: float = 0.2
    split_seed: int = 42
    split: Literal["given", "random"] = "given"
    seed: int = 42
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    lr_sweep: LrSweep | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    trivial_augment: bool = False
    balance_loss: float = 0.0
    balance_sampling: float = 0.0
    weight_averaging: float = 0.0
    patience: int = 0
    devices: int | Literal["all"] | None = None
    batch_norm: Literal["sync", "local"] = "sync"
    recipe: Literal["phases"]
    phases: list[Phase]


class Probe(Answer):
    """The head alone, on what the published body makes of each photo once: seconds an epoch, no random changes."""

    arch: str = "resnet34"
    pretrained: bool = True
    presize: int = 460
    size: int = 224
    train_size: int | tuple[int, int] | Literal["size"] | None = None
    min_scale: float = 0.75
    augment: Augment | None = None
    batch_size: int = 64
    valid_pct: float = 0.2
    split_seed: int = 42
    split: Literal["given", "random"] = "given"
    seed: int = 42
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    lr_sweep: LrSweep | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    trivial_augment: bool = False
    balance_loss: float = 0.0
    balance_sampling: float = 0.0
    weight_averaging: float = 0.0
    patience: int = 0
    recipe: Literal["probe"]
    epochs: int = 10
    lr_max: float | tuple[float, float] | Literal["auto"] | None = None


class Range(Answer):
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


class StudyPlan(Answer):
    """A search, as it is carried out. `seed` decides which settings are tried."""

    config: FineTune | OneCycle | Probe | Phases | None = None
    space: dict[str, list[JsonValue] | Range]
    trials: int = 20
    minutes: float = 60.0
    pruner: Literal["median", "hyperband", "none"] = "median"
    objective: Literal["error_rate", "valid_loss", "macro_error"] = "error_rate"
    limits: Limits | None = None
    seed: int = 42
    at_once: int = 1
    register_best: bool = True


class TrialCounts(Answer):
    """How many trials came to what."""

    running: int = 0
    done: int = 0
    pruned: int = 0
    cut: int = 0
    failed: int = 0
    cancelled: int = 0
    stopped: int = 0
    refused: int = 0


class StudyOut(Answer):
    """A search as it stands."""

    name: str | None
    asked: StudyPlan
    counts: TrialCounts
    best: BestTrial | None
    spent_seconds: float
    seconds_left: float | None
    ended_by: Literal["trials", "time", "space"] | None
    version: int | None


class JobOut(Answer):
    """A job as it stands."""

    id: int
    kind: str
    lane: Lane
    run: int | None
    config: InterpretConfig | None
    state: State
    waiting: JobWaiting | None
    attempt: int
    progress: JobProgress | None
    error: JobError | None
    resumable: bool
    forecast: ForecastOut | None
    answers: Answers | None
    study: StudyOut | None
    pruned: PrunedOut | None
    owner: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    dataset: str | None
    request_id: str | None


class PoorPhotosOut(Answer):
    """Validation photos as a poor camera would have taken them, and how much the run eases what that changes."""

    photos: int
    refused_wanted: float
    blurred: float | None
    noisy: float | None
    weight: float
    choice: Literal["reached", "out_of_reach", "too_few"]


class JudgementOut(Answer):
    """What the run's validation side says. Each figure is of photos that the measured part was not fitted on."""

    photos: int
    temperature: float
    bias: float = 0.0
    raw: CalibrationErrorOut | None
    calibrated: CalibrationErrorOut | None
    refused_asked: float
    refused: float | None
    poor: PoorPhotosOut | None = None
    coverages: list[CoverageOut]
    sentences: list[str] | None = None


class KeptPredictionWhole(Answer):
    """A kept prediction with all that was said of it."""

    id: UUID
    answered_at: datetime
    sha256: str
    bytes: int
    version: int
    asked: str
    breed: str
    probability: float
    top: list[Guess]
    sure: bool
    known: bool | None
    milliseconds: float
    photo: bool
    feedback: FeedbackOut | None
    contradicted: bool
    history: list[FeedbackOut]


class LaneOut(Answer):
    """A lane's workers and what waits for them."""

    workers: int
    queued: int


class Suggested(Answer):
    """A figure for each suggestion, in the order in which the workflow names them; null where there is none."""

    minimum: float | None = None
    steep: float | None = None
    valley: float | None = None
    slide: float | None = None


class LrFindOut(Answer):
    """A search. `lrs`, `losses` and `smoothed` are the first sweep's, a value a step."""

    run: int
    phase: int
    rate: float | None
    agreement: str
    agreement_of: str = "valley"
    lrs: list[float]
    losses: list[float | None]
    smoothed: list[float | None]
    stopped_early: bool
    suggestions: Suggested
    reasons: dict[str, str] | None = None
    spread_decades: Suggested | None = None
    agreements: dict[str, str] | None = None
    agreement_reason: str | None = None
    rises_at: float | None = None
    rises_at_spread_decades: float | None = None
    rises_at_sweeps: int = 0
    advice: str | None = None
    freeze: bool
    sweeps: list[dict[str, Any]] | None = None


class MachineOut(Answer):
    """How a version is run on machines of a kind; `way` is null where the exact way is, and `reason` says why."""

    machine: str
    way: WayOut | None
    reason: str | None


class Metrics(Answer):
    """A run's figures so far."""

    epochs: list[EpochOut]
    batches: Batches
    steps: int
    drawn: bool


class ModelDetail(Answer):
    """The same, with what was measured to choose how it is run on each kind of machine."""

    version: int
    run: int
    arch: str
    dataset: str
    drawn: bool
    error_rate: float | None
    calibration_error: float | None
    aliases: list[str]
    canary_of: list[str]
    machines: list[MachineOut]
    created_at: datetime
    choices: list[ChoiceOut]


class ModelOut(Answer):
    """A registered version. `drawn` is true where it learned from drawn pictures."""

    version: int
    run: int
    arch: str
    dataset: str
    drawn: bool
    error_rate: float | None
    calibration_error: float | None
    aliases: list[str]
    canary_of: list[str]
    machines: list[MachineOut]
    created_at: datetime


class PageOutDatasetSummary(Answer):
    """A part of what is answered: PageOut_DatasetSummary_."""

    items: list[DatasetSummary]
    next_cursor: str | None


class PageOutJobOut(Answer):
    """A part of what is answered: PageOut_JobOut_."""

    items: list[JobOut]
    next_cursor: str | None


class PageOutModelOut(Answer):
    """A part of what is answered: PageOut_ModelOut_."""

    items: list[ModelOut]
    next_cursor: str | None


class StudyOfRun(Answer):
    """The search that a run is a trial of, by its job, and which of its trials."""

    job: int
    trial: int


class RunSummary(Answer):
    """A run in a list. `job` is the job that carries its state."""

    id: int
    kind: str
    name: str | None
    state: State
    job: int
    arch: str
    dataset: RunDataset
    parent: int | None
    study: StudyOfRun | None
    tags: list[str]
    note: str | None
    error_rate: float | None
    error_rate_margin: float | None
    valid_loss: float | None
    train_loss: float | None
    recipe: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    spark: list[float]


class PageOutRunSummary(Answer):
    """A part of what is answered: PageOut_RunSummary_."""

    items: list[RunSummary]
    next_cursor: str | None


class PhaseRate(Answer):
    """The learning rate of a phase that left it to a search; phases count from 0."""

    phase: int
    rate: float | None
    agreement: str
    lr_max: tuple[float, float, float] | None
    searched_in: int


class Prediction(Answer):
    """The answer for one picture. `probabilities` holds every breed; the model's `scores` says what they sum to."""

    filename: str
    breed: str
    species: Literal["cat", "dog"] | None
    probability: float
    raw_probability: float
    sure: bool
    known: bool | None
    known_score: float | None
    sentence: str
    set: list[str] | None
    top: list[Guess]
    probabilities: dict[str, float]
    raw_probabilities: dict[str, float]
    id: UUID | None = None


class ServedModel(Answer):
    """Which model answered. `drawn` is true where it learned from drawn pictures: do not trust it with photos."""

    loss: Literal["cross_entropy", "binary_cross_entropy"]
    scores: Literal["sum_to_one", "independent"]
    note: str | None = None
    version: int
    run: int
    arch: str
    drawn: bool
    calibrated: bool


class SetCoverage(Answer):
    """How often a set holds the true breed. `note` says where it cannot be told and every set has all breeds."""

    asked: float
    photos: int
    note: str | None


class Predictions(Answer):
    """An entry for each file, in the order sent."""

    model: ServedModel
    tta: bool
    refused_share: float
    coverage: SetCoverage | None
    predictions: list[Prediction | FailedPicture]


class Problem(Answer):
    """An error: `code` is stable, the sentences are for people and may change."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    request: HelpfulRequest | None = None
    field: str | None = None
    value: str | None = None
    errors: list[FieldProblem] | None = None
    more_errors: bool | None = None
    request_id: str | None = None
    dependents: DependentsOut | None = None
    parts: dict[str, str] | None = None
    lanes: dict[str, LaneOut] | None = None


class RunOut(Answer):
    """A run with everything that made it. All of the plan is null until a worker has made it."""

    lineage: list[Ancestor]
    children: list[int]
    cautions: list[str]
    rates: list[PhaseRate]
    id: int
    kind: str
    name: str | None
    state: State
    job: int
    arch: str
    dataset: RunDataset
    parent: int | None
    study: StudyOfRun | None
    tags: list[str]
    note: str | None
    error_rate: float | None
    error_rate_margin: float | None
    valid_loss: float | None
    train_loss: float | None
    recipe: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    spark: list[float]
    added: AddedOut | None
    config: dict[str, Any]
    changed: dict[str, Any]
    device: str | None
    precision: str | None
    precision_reason: str | None
    weights: dict[str, Any] | None
    versions: dict[str, Any] | None
    plan: dict[str, Any] | None
    seed: int
    artifacts: list[ArtifactOut]
    rate_searches: list[int]
    curves: list[CurveOut]
    interpretations: list[InterpretationOut]
    judgement: JudgementOut | None


class TopLoss(Answer):
    """One of the photos that the model was most wrong about."""

    item: int
    path: str
    actual: str
    predicted: str
    loss: float | None
    probability_predicted: float
    probability_actual: float
    trained_on: bool = False
    image: str


class TrialOut(Answer):
    """A trial of a search."""

    trial: int
    run: int | None
    settings: dict[str, Any]
    state: State | None
    outcome: Literal["done", "pruned", "cut", "failed", "cancelled", "stopped", "refused"] | None
    value: float | None
    best: bool
    epochs: int
    curve: list[float | None]
    answer_ms: float | None
    pruned_epoch: int | None
    reason: str | None
    created_at: datetime
    ended_at: datetime | None


class TrialsOut(Answer):
    """All trials of a search, in order."""

    objective: str
    items: list[TrialOut]
    next_cursor: None = None
