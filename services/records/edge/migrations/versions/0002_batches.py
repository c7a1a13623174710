"""Imports and their rows."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE batch (
    batch_id         text PRIMARY KEY,
    organisation_id  text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('paper', 'spreadsheet', 'legacy', 'national')),
    status           text NOT NULL
        CHECK (status IN ('open', 'closed', 'approved', 'rejected', 'revoked')),
    sheet_digest     text NOT NULL,
    rows             integer NOT NULL CHECK (rows > 0),
    declared_minutes bigint,
    opened_by        text NOT NULL,
    opened_at        timestamptz NOT NULL,
    imported         integer NOT NULL,
    repeats          integer NOT NULL,
    held             integer NOT NULL,
    minutes          bigint NOT NULL
);
-- One sheet of an organisation is one batch, unless that one was rejected or revoked.
CREATE UNIQUE INDEX batch_sheet ON batch (organisation_id, sheet_digest)
    WHERE status NOT IN ('rejected', 'revoked');
CREATE INDEX batch_by_organisation ON batch (organisation_id, opened_at, batch_id);

-- What became of each row. No number and no name: the importer has the file.
CREATE TABLE batch_row (
    batch_id         text NOT NULL,
    row_no           integer NOT NULL,
    state            text NOT NULL CHECK (state IN ('imported', 'repeat', 'held')),
    subject_id       text,
    entry_id         text,
    minutes          bigint NOT NULL,
    reason           text,
    field            text,
    same_as_row      integer,
    refused_decision text,
    refused_reason   text,
    PRIMARY KEY (batch_id, row_no),
    CHECK ((state = 'held') = (reason IS NOT NULL)),
    CHECK ((state = 'held') = (entry_id IS NULL))
);
-- Which row of a sheet stands for an entry already: two rows alike are asked about.
CREATE INDEX batch_row_by_entry ON batch_row (batch_id, entry_id) WHERE entry_id IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(TABLES)
