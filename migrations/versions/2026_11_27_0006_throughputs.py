"""Calibrations are throughputs; a forecast is a job like any other and needs no table of its own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    _rename("calibrations", "throughputs")
    op.add_column("throughputs", sa.Column("precision_asked", sa.Text(), nullable=True))
    op.execute(
        "UPDATE throughputs SET precision_asked = COALESCE(requests.settings ->> 'precision', throughputs.precision)"
        " FROM calibration_requests AS requests WHERE requests.id = throughputs.request_id"
    )
    op.alter_column("throughputs", "precision_asked", nullable=False)
    op.drop_column("throughputs", "request_id")  # and with it the foreign key
    op.drop_table("calibration_requests")


def downgrade() -> None:
    # The version before knows no such job.
    op.execute("DELETE FROM jobs WHERE kind = 'forecast'")
    _create_requests()
    op.add_column("throughputs", sa.Column("request_id", sa.Integer(), nullable=True))
    op.execute(
        "INSERT INTO calibration_requests (id, settings, created_at, answered_at)"
        " SELECT id, jsonb_build_object('precision', precision_asked), created_at, created_at FROM throughputs"
    )
    op.execute(
        "SELECT setval(pg_get_serial_sequence('calibration_requests', 'id'), GREATEST(max(id), 1), max(id) IS NOT NULL)"
        " FROM calibration_requests"
    )
    op.execute("UPDATE throughputs SET request_id = id")
    op.alter_column("throughputs", "request_id", nullable=False)
    op.drop_column("throughputs", "precision_asked")
    _rename("throughputs", "calibrations")
    op.create_foreign_key(
        op.f("fk_calibrations_request_id_calibration_requests"),
        "calibrations",
        "calibration_requests",
        ["request_id"],
        ["id"],
        ondelete="CASCADE",
    )


def _rename(old: str, new: str) -> None:
    """The table, and what has its name in it."""
    op.rename_table(old, new)
    op.execute(f"ALTER SEQUENCE {old}_id_seq RENAME TO {new}_id_seq")
    op.execute(f"ALTER INDEX pk_{old} RENAME TO pk_{new}")
    op.execute(f"ALTER INDEX ix_{old}_arch_id RENAME TO ix_{new}_arch_id")


def _create_requests() -> None:
    op.create_table(
        "calibration_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("answered_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_requests")),
    )
