from dataclasses import fields

from ml.reporting import EpochRecord, Plan, Progress
from worker.event_json import epoch_json, plan_json, progress_json, whole_plan_json

PLAN = Plan(
    device="cpu",
    precision="fp32",
    precision_reason="asked for",
    weights_file=None,
    weights_sha256=None,
    versions={"torch": "2"},
    train_items=8,
    valid_items=2,
    steps=4,
    resumed_from_step=1,
)
EPOCH = EpochRecord(
    phase=0, epoch=1, train_loss=2.0, valid_loss=3.0, error_rate=0.5, seconds=6.0, images_per_second=7.0
)


def test_every_field_is_told_under_its_name() -> None:
    for told, record in (
        (whole_plan_json(PLAN), PLAN),
        (epoch_json(EPOCH), EPOCH),
        (progress_json(Progress(stage="train", step=3)), Progress(stage="train", step=3)),
    ):
        assert told == {field.name: getattr(record, field.name) for field in fields(record)}


def test_a_run_keeps_what_its_own_columns_do_not_have() -> None:
    assert set(plan_json(PLAN)) == {
        "train_items",
        "valid_items",
        "steps",
        "resumed_from_step",
        "accumulation",
        "halved_from_step",
    }
