"""What came of breeds that a run added to its parent's."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("added", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "added")
