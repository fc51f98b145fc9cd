"""Aliases have a history and canaries; how a version is run on a kind of machine, and what a shadow answered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    _add_moves()
    _add_canaries()
    _add_choices()
    _add_shadows()


def downgrade() -> None:
    op.drop_table("shadow_comparisons")
    op.drop_table("serving_choices")
    op.drop_constraint(op.f("ck_model_aliases_canary_whole"), "model_aliases")
    op.drop_column("model_aliases", "canary_share")
    op.drop_column("model_aliases", "canary_version")  # and with it the foreign key
    op.drop_table("alias_moves")


def _add_moves() -> None:
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("before_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        _version_key("alias_moves", "version"),
        sa.ForeignKeyConstraint(["before_id"], ["alias_moves.id"], name=op.f("fk_alias_moves_before_id_alias_moves")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_moves")),
    )
    op.create_index(op.f("ix_alias_moves_alias_id"), "alias_moves", ["alias", "id"])
    # What an alias points at today is what its next move can be rolled back to.
    op.execute(
        "INSERT INTO alias_moves (alias, how, version, created_at)"
        " SELECT alias, 'pointed', version, updated_at FROM model_aliases ORDER BY updated_at"
    )


def _add_canaries() -> None:
    op.add_column("model_aliases", sa.Column("canary_version", sa.Integer(), nullable=True))
    op.add_column("model_aliases", sa.Column("canary_share", sa.Double(), nullable=True))
    op.create_foreign_key(
        op.f("fk_model_aliases_canary_version_model_versions"),
        "model_aliases",
        "model_versions",
        ["canary_version"],
        ["id"],
    )
    op.create_check_constraint(
        op.f("ck_model_aliases_canary_whole"), "model_aliases", "(canary_version IS NULL) = (canary_share IS NULL)"
    )


def _add_choices() -> None:
    op.create_table(
        "serving_choices",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("content", JSONB(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        _version_key("serving_choices", "version"),
        sa.PrimaryKeyConstraint("version", "machine", name=op.f("pk_serving_choices")),
    )


def _add_shadows() -> None:
    counts = ("compared", "agreed", "failed", "dropped")
    op.create_table(
        "shadow_comparisons",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("against", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        sa.Column("difference_sum", sa.Double(), nullable=False),
        sa.Column("difference_max", sa.Double(), nullable=False),
        sa.Column("pairs", JSONB(), nullable=False),
        sa.Column("examples", JSONB(), nullable=False),
        sa.Column("began_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        _version_key("shadow_comparisons", "version"),
        _version_key("shadow_comparisons", "against"),
        sa.PrimaryKeyConstraint("version", "against", name=op.f("pk_shadow_comparisons")),
    )


def _version_key(table: str, column: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_model_versions")
    return sa.ForeignKeyConstraint([column], ["model_versions.id"], name=name)
