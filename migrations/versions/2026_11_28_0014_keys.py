"""Keys, and the sessions of browsers that showed one."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )
    not_revoked = sa.text("revoked_at IS NULL")
    op.create_index("uq_keys_name_not_revoked", "keys", ["name"], unique=True, postgresql_where=not_revoked)
    op.create_table(
        "key_sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_key_sessions_key_id_keys"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_key_sessions")),
    )
    op.create_index(op.f("ix_key_sessions_key_id"), "key_sessions", ["key_id"])


def downgrade() -> None:
    op.drop_table("key_sessions")
    op.drop_table("keys")
