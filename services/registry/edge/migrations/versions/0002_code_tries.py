"""What a volunteer is shown of her transfer codes: when she took them, who showed them."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE code_issued (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code_id text NOT NULL UNIQUE,
    subject_id text NOT NULL,
    issued_at timestamptz NOT NULL
);
CREATE INDEX code_issued_by_subject ON code_issued (subject_id, position);

-- The true cause of each answer, which the other city is not told.
CREATE TABLE code_try (
    code_id text NOT NULL REFERENCES code_issued (code_id),
    transfer_id text NOT NULL,
    city text NOT NULL,
    outcome text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (code_id, transfer_id)
);
CREATE INDEX code_try_by_age ON code_try (code_id, at);
"""


def upgrade() -> None:
    op.execute(_TABLES)
