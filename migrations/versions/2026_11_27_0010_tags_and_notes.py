"""Runs have tags and a note, and are listed by architecture from an index."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TAGS = postgresql.ARRAY(sa.Text())


def upgrade() -> None:
    op.add_column("runs", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("tags", TAGS, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("runs", sa.Column("arch", sa.Text(), sa.Computed("config ->> 'arch'::text", persisted=True)))
    op.create_index(op.f("ix_runs_tags"), "runs", ["tags"], postgresql_using="gin")
    op.create_index(op.f("ix_runs_arch_id"), "runs", ["arch", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_runs_arch_id"), "runs")
    op.drop_index(op.f("ix_runs_tags"), "runs")
    op.drop_column("runs", "arch")
    op.drop_column("runs", "tags")
    op.drop_column("runs", "note")
