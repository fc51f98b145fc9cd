"""${message}.

A migration that adds must suit the code that still runs while it is rolled out; what drops comes one release later.
A long index build belongs in a migration of its own, CONCURRENTLY, in an autocommit block.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
