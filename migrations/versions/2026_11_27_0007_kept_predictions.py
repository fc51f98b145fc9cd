"""Predictions are kept where it is asked for, with what people say of them; and figures of all, by day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")
CONTRADICTED = "feedback_at IS NOT NULL AND feedback_breed IS DISTINCT FROM breed"


def upgrade() -> None:
    op.create_table(
        "kept_predictions",
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("answered_at", TIME, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("breed", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("top", postgresql.JSONB(), nullable=False),
        sa.Column("sure", sa.Boolean(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=True),
        sa.Column("milliseconds", sa.Double(), nullable=False),
        sa.Column("with_photo", sa.Boolean(), nullable=False),
        sa.Column("feedback_at", TIME, nullable=True),
        sa.Column("feedback_breed", sa.Text(), nullable=True),
        sa.Column("of_vocabulary", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_kept_predictions")),
        sa.UniqueConstraint("id", name=op.f("uq_kept_predictions_id")),
    )
    op.create_index(op.f("ix_kept_predictions_answered_at"), "kept_predictions", ["answered_at"])
    op.create_index(op.f("ix_kept_predictions_version"), "kept_predictions", ["version"])
    for name, column, condition in (
        ("photo", "sha256", "with_photo"),
        ("told", "number", "feedback_at IS NOT NULL"),
        ("contradicted", "number", CONTRADICTED),
    ):
        where = sa.text(condition)
        op.create_index(f"ix_kept_predictions_{name}", "kept_predictions", [column], postgresql_where=where)
    _create_feedback()
    op.create_table(
        "kept_photos",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("is_stored", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_kept_photos")),
    )
    _create_drift()


def downgrade() -> None:
    for table in ("drift_references", "drift_counts", "kept_photos", "feedback", "kept_predictions"):
        op.drop_table(table)


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("breed", sa.Text(), nullable=True),
        sa.Column("of_vocabulary", sa.Boolean(), nullable=True),
        sa.Column("given_at", TIME, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["number"],
            ["kept_predictions.number"],
            name=op.f("fk_feedback_number_kept_predictions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_number"), "feedback", ["number"])


def _create_drift() -> None:
    op.create_table(
        "drift_counts",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("figure", sa.Text(), nullable=False),
        sa.Column("counts", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("version", "day", "figure", name=op.f("pk_drift_counts")),
    )
    op.create_table(
        "drift_references",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("counts", postgresql.JSONB(), nullable=False),
        sa.Column("missing", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_drift_references")),
    )
