"""Workers say what they compute on."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("device", sa.Text()))
    op.add_column("workers", sa.Column("device_kind", sa.Text()))
    op.add_column("workers", sa.Column("memory_bytes", sa.BigInteger()))


def downgrade() -> None:
    for name in ("memory_bytes", "device_kind", "device"):
        op.drop_column("workers", name)
