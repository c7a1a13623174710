"""The ledger of this service, what it reads, its entries, its logs, and the tables of its GETs."""

from __future__ import annotations

from alembic import op

from shared.postgres import ledger_tables, reader_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
-- Every entry version that is or was here, byte for byte as its issuer signed it. Held: no leaf,
-- held_order set (order of arrival since the custody of held_epoch ended or was fenced).
CREATE TABLE entry_version (
    issuer     text COLLATE "C" NOT NULL,
    entry_id   text COLLATE "C" NOT NULL,
    version    integer NOT NULL CHECK (version BETWEEN 1 AND 9999),
    subject_id text NOT NULL,
    digest     text NOT NULL,
    signed     text NOT NULL CHECK (signed <> ''),
    held_order bigint,
    held_epoch integer,
    -- The transfer whose staging brought it; null where it was recorded or came late.
    brought_by text,
    PRIMARY KEY (issuer, entry_id, version)
);
CREATE INDEX entry_version_by_digest ON entry_version (digest);
CREATE INDEX entry_version_held ON entry_version (subject_id, held_epoch, held_order)
    WHERE held_order IS NOT NULL;
CREATE INDEX entry_version_brought ON entry_version (brought_by) WHERE brought_by IS NOT NULL;

-- The append-only logs. A dossier's log_id says which one is its own.
CREATE TABLE leaf (
    log_id     text NOT NULL,
    leaf_index bigint NOT NULL,
    issuer     text COLLATE "C" NOT NULL,
    entry_id   text COLLATE "C" NOT NULL,
    version    integer NOT NULL,
    digest     text NOT NULL,
    PRIMARY KEY (log_id, leaf_index)
);
CREATE UNIQUE INDEX leaf_once ON leaf (issuer, entry_id, version, log_id);

-- One row per entry of a log: the version that stands, and the one from which times, days and cell
-- are taken. What follows from the leaves alone, kept so that nothing reads a whole log.
CREATE TABLE standing (
    log_id              text NOT NULL,
    issuer              text COLLATE "C" NOT NULL,
    entry_id            text COLLATE "C" NOT NULL,
    ulid                text COLLATE "C" NOT NULL,
    subject_id          text NOT NULL,
    version             integer NOT NULL,
    kind                text NOT NULL,
    state               text NOT NULL,
    minutes             bigint NOT NULL,
    counted             bigint NOT NULL,
    shared              bigint NOT NULL,
    occurred_on         date NOT NULL,
    line                text NOT NULL,
    standing            jsonb NOT NULL,
    counting            jsonb,
    -- Only of services that count and whose times are known: what can cover and be covered.
    started_at          timestamptz,
    ended_at            timestamptz,
    -- Only of services that count: the days for which a tier asks.
    first_day           date,
    last_day            date,
    reduces_issuer      text COLLATE "C",
    reduces_entry_id    text COLLATE "C",
    organisation_id     text,
    supervising_body_id text,
    region_code         text,
    review_tier         text,
    late                boolean,
    due_on              date,
    PRIMARY KEY (log_id, issuer, entry_id)
);
CREATE INDEX standing_by_order ON standing (log_id, ulid, issuer);
CREATE INDEX standing_by_start ON standing (log_id, started_at) WHERE started_at IS NOT NULL;
CREATE INDEX standing_by_day ON standing (log_id, first_day) WHERE first_day IS NOT NULL;
CREATE INDEX standing_by_reduced ON standing (log_id, reduces_issuer, reduces_entry_id)
    WHERE reduces_issuer IS NOT NULL;
CREATE INDEX standing_awaiting ON standing (organisation_id, ulid, issuer, log_id)
    WHERE state IN ('pending', 'publicised');
CREATE INDEX standing_awaiting_above ON standing (supervising_body_id, ulid, issuer, log_id)
    WHERE state IN ('pending', 'publicised') AND supervising_body_id IS NOT NULL;
CREATE INDEX standing_awaiting_region ON standing (ulid, issuer, region_code)
    WHERE state IN ('pending', 'publicised');

-- A fact has one entry (same fact). Freed by rejection and revocation.
CREATE TABLE fact_claim (
    key        text PRIMARY KEY,
    entry_id   text COLLATE "C" NOT NULL,
    subject_id text NOT NULL,
    content    text NOT NULL,
    batch_id   text,
    row_no     integer
);
CREATE INDEX fact_claim_by_entry ON fact_claim (entry_id);

-- Versions of other cities that failed their judgement; judged again with each newer directory.
CREATE TABLE quarantine (
    subject_id  text NOT NULL,
    issuer      text COLLATE "C" NOT NULL,
    entry_id    text COLLATE "C" NOT NULL,
    version     integer NOT NULL,
    digest      text NOT NULL,
    code        text NOT NULL,
    signed      text NOT NULL,
    transfer_id text,
    since       timestamptz NOT NULL,
    PRIMARY KEY (subject_id, issuer, entry_id, version, digest)
);

-- Bytes that an event names by digest and that are no entry: a large table of cells.
CREATE TABLE object (
    sha256 text PRIMARY KEY,
    bytes  bytea NOT NULL
);
"""


def upgrade() -> None:
    op.execute(ledger_tables())
    op.execute(reader_tables())
    op.execute(TABLES)
