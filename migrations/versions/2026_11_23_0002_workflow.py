"""The whole workflow: searches for a learning rate, calibrations, peak memory, interpretations on other datasets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    op.add_column("epochs", sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True))
    _create_rate_finds()
    _create_calibrations()
    _key_interpretations_by_dataset()


def downgrade() -> None:
    op.execute(
        "DELETE FROM interpretations USING runs"
        " WHERE runs.id = interpretations.run_id AND runs.dataset_id <> interpretations.dataset_id"
    )
    op.drop_constraint("pk_interpretations", "interpretations", type_="primary")
    op.create_primary_key("pk_interpretations", "interpretations", ["run_id"])
    op.drop_column("interpretations", "dataset_id")
    op.drop_table("calibrations")
    op.drop_table("calibration_requests")
    op.drop_table("rate_finds")
    op.drop_column("epochs", "peak_memory_bytes")


def _create_rate_finds() -> None:
    op.create_table(
        "rate_finds",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("agreement", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_rate_finds_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "phase", name=op.f("pk_rate_finds")),
    )


def _create_calibrations() -> None:
    op.create_table(
        "calibration_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("answered_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_requests")),
    )
    op.create_table(
        "calibrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("arch", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("presize", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("freeze", sa.Boolean(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("images_per_second", sa.Double(), nullable=False),
        sa.Column("valid_images_per_second", sa.Double(), nullable=False),
        sa.Column("step_images_per_second", postgresql.JSONB(), nullable=False),
        sa.Column("step_pictures", sa.Integer(), nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["calibration_requests.id"],
            name=op.f("fk_calibrations_request_id_calibration_requests"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
    )
    op.create_index("ix_calibrations_arch_id", "calibrations", ["arch", "id"], unique=False)


def _key_interpretations_by_dataset() -> None:
    op.add_column("interpretations", sa.Column("dataset_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE interpretations SET dataset_id = runs.dataset_id FROM runs WHERE runs.id = interpretations.run_id"
    )
    op.alter_column("interpretations", "dataset_id", nullable=False)
    op.create_foreign_key(
        op.f("fk_interpretations_dataset_id_datasets"), "interpretations", "datasets", ["dataset_id"], ["id"]
    )
    op.drop_constraint("pk_interpretations", "interpretations", type_="primary")
    op.create_primary_key("pk_interpretations", "interpretations", ["run_id", "dataset_id"])
