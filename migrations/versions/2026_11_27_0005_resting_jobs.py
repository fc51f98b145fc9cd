"""Runs name the checkpoints that are kept of them; a job that is tried again rests first."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("runs", sa.Column("checkpoints", JSONB(), nullable=True))
    op.add_column("jobs", sa.Column("not_before", TIME, nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "not_before")
    op.drop_column("runs", "checkpoints")
