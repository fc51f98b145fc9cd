"""Searches over settings and their trials."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("asked", postgresql.JSONB(), nullable=False),
        sa.Column("spent_seconds", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("since_trial", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("best_trial", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_studies_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_studies")),
    )
    op.create_table(
        "study_trials",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("curve", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("answer_ms", sa.Double(), nullable=True),
        sa.Column("pruned_epoch", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.job_id"], name=op.f("fk_study_trials_study_id_studies"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_study_trials_run_id_runs"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_trials")),
        sa.UniqueConstraint("run_id", name=op.f("uq_study_trials_run_id")),
        sa.UniqueConstraint("study_id", "number", name=op.f("uq_study_trials_study_id_number")),
    )
    op.add_column("runs", sa.Column("study_id", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("trial", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("answer_ms", sa.Double(), nullable=True))
    op.create_index(op.f("ix_runs_study_id"), "runs", ["study_id"])


def downgrade() -> None:
    op.drop_column("runs", "answer_ms")
    op.drop_column("runs", "trial")
    op.drop_column("runs", "study_id")
    op.drop_table("study_trials")
    op.drop_table("studies")
