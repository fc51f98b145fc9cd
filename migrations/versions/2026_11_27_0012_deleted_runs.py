"""Runs can be deleted: what stays of them, and no key that needs them to be there."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
PARENT = "fk_runs_parent_id_runs"
MOVED = "fk_alias_moves_version_model_versions"
UNREACHABLE = """
    UPDATE alias_moves SET before_id = NULL WHERE before_id IN (
        SELECT id FROM alias_moves WHERE version NOT IN (SELECT id FROM model_versions)
    )
"""


def upgrade() -> None:
    op.create_table(
        "deleted_runs",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("config", JSONB(), nullable=False),
        sa.Column("error_rate", sa.Double(), nullable=True),
        sa.Column("finished_phases", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("jobs", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("files", JSONB(), nullable=False),
        sa.Column("files_gone_at", TIME, nullable=True),
        sa.Column("deleted_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_runs")),
    )
    op.drop_constraint(op.f(PARENT), "runs")
    op.drop_constraint(op.f(MOVED), "alias_moves")


def downgrade() -> None:
    op.execute(UNREACHABLE)
    op.execute("DELETE FROM alias_moves WHERE version NOT IN (SELECT id FROM model_versions)")
    op.create_foreign_key(op.f(MOVED), "alias_moves", "model_versions", ["version"], ["id"])
    op.execute("UPDATE runs SET parent_id = NULL WHERE parent_id NOT IN (SELECT id FROM runs)")
    op.create_foreign_key(op.f(PARENT), "runs", "runs", ["parent_id"], ["id"])
    op.drop_table("deleted_runs")
