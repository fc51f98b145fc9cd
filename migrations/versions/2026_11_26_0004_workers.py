"""Workers say that they live, and which lanes they take jobs of."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lanes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("lease_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    op.drop_table("workers")
    # The version before takes its numbers of models from the sequence, which this one leaves alone.
    op.execute(
        "SELECT setval(pg_get_serial_sequence('model_versions', 'id'), GREATEST(max(id), 1), max(id) IS NOT NULL)"
        " FROM model_versions"
    )
