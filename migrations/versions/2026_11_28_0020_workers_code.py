"""Which version of the code a worker runs."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("code_version", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "code_version")
