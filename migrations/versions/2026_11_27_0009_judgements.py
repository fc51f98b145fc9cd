"""A run says how far its answers can be trusted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("judgement", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "judgement")
