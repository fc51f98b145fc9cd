"""Whose a job and a data set is, and when a worker took a job last."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# The record of changes has who posted a job; of a search's trials, the search's job has it.
_POSTED = """
UPDATE jobs SET owner = posted.who
FROM (SELECT DISTINCT ON (target) target, who FROM audit WHERE target LIKE '/jobs/%' ORDER BY target, id) AS posted
WHERE posted.target = '/jobs/' || jobs.id
"""
_TRIALS = """
UPDATE jobs SET owner = searches.owner
FROM runs JOIN jobs AS searches ON searches.id = runs.study_id
WHERE runs.id = jobs.run_id AND jobs.kind = 'train'
"""
_DATASETS = """
UPDATE datasets SET owner = imports.owner
FROM (
    SELECT DISTINCT ON (payload ->> 'name') payload ->> 'name' AS name, owner FROM jobs
    WHERE kind = 'import' AND state = 'succeeded' ORDER BY payload ->> 'name', id
) AS imports
WHERE imports.name = datasets.name
"""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("owner", sa.Text(), server_default=sa.text("'local'"), nullable=False))
    op.add_column("jobs", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("datasets", sa.Column("owner", sa.Text(), server_default=sa.text("'local'"), nullable=False))
    op.add_column("datasets", sa.Column("bytes", sa.BigInteger(), nullable=True))
    for statement in (_POSTED, _TRIALS, _DATASETS, "UPDATE jobs SET claimed_at = started_at WHERE kind <> 'search'"):
        op.execute(statement)
    op.create_index("ix_jobs_owner_claimed_at", "jobs", ["owner", "claimed_at"])
    op.create_index(op.f("ix_datasets_owner"), "datasets", ["owner"])


def downgrade() -> None:
    for table, names in (("datasets", ("bytes", "owner")), ("jobs", ("claimed_at", "owner"))):
        for name in names:
            op.drop_column(table, name)
