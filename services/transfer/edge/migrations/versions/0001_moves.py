"""The ledger's tables, the reader's, and the moves with the constraints that carry the proof.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from alembic import op

from shared.postgres import ledger_tables, reader_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOVES = """
CREATE TABLE transfer (
    transfer_id text NOT NULL,
    role text NOT NULL CHECK (role IN ('O', 'D')),
    peer text NOT NULL,
    applicant_ref text NOT NULL,
    purpose text NOT NULL,
    state text NOT NULL CHECK (
        (role = 'O' AND state IN ('Requested', 'Admitted', 'Frozen', 'Offered', 'Released',
            'Settling', 'Closing', 'Closed', 'Refused', 'Aborted'))
        OR (role = 'D' AND state IN ('Requested', 'Receiving', 'Verifying', 'Staging', 'Accepted',
            'InDoubt', 'Activating', 'Active', 'Closed', 'Refused', 'Aborted'))),
    since timestamptz NOT NULL,
    requested_at timestamptz NOT NULL,
    subject_id text,
    epoch bigint,
    attempt integer NOT NULL,
    view jsonb NOT NULL,
    PRIMARY KEY (transfer_id, role)
);
-- One open transfer of a dossier at its origin: the winner of two admissions (O3).
CREATE UNIQUE INDEX transfer_open ON transfer (subject_id, epoch)
    WHERE role = 'O' AND state IN ('Admitted', 'Frozen', 'Offered');
-- One open attempt of an application at its destination.
CREATE UNIQUE INDEX transfer_attempt ON transfer (applicant_ref)
    WHERE role = 'D' AND state NOT IN ('Refused', 'Aborted');
CREATE INDEX transfer_by_application ON transfer (applicant_ref, requested_at);
CREATE INDEX transfer_by_subject ON transfer (subject_id, requested_at);
CREATE INDEX transfer_by_peer ON transfer (peer, transfer_id);

CREATE TABLE application (
    applicant_ref text PRIMARY KEY,
    actor_id text NOT NULL,
    origin text NOT NULL,
    consent text NOT NULL,
    code_id text NOT NULL,
    applied_at timestamptz NOT NULL
);

CREATE TABLE certificate (
    digest text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('genesis', 'release', 'recovery', 'abort')),
    own boolean NOT NULL,
    subject_id text,
    epoch bigint,
    transfer_id text,
    document text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);
-- One release of a dossier and epoch, and of one transfer a release or an abort, never both.
CREATE UNIQUE INDEX certificate_one_release ON certificate (subject_id, epoch)
    WHERE own AND kind IN ('release', 'recovery');
CREATE UNIQUE INDEX certificate_one_decision ON certificate (transfer_id)
    WHERE own AND kind IN ('release', 'abort');
CREATE INDEX certificate_of_subject ON certificate (subject_id, epoch);
CREATE INDEX certificate_of_transfer ON certificate (transfer_id);

CREATE TABLE inbox (
    message_id text PRIMARY KEY,
    transfer_id text NOT NULL,
    sender text NOT NULL,
    incarnation bigint NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    digest text NOT NULL,
    receipt bytea NOT NULL,
    raw bytea NOT NULL,
    received_at timestamptz NOT NULL
);
CREATE INDEX inbox_of_sender ON inbox (sender, incarnation);
CREATE INDEX inbox_of_transfer ON inbox (transfer_id);

CREATE TABLE peer_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id text NOT NULL,
    incarnation bigint NOT NULL,
    seq bigint NOT NULL,
    peer text NOT NULL,
    type text NOT NULL,
    message_id text NOT NULL UNIQUE,
    digest text NOT NULL,
    wire bytea NOT NULL,
    supplement_k bigint,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    gives_up_at timestamptz,
    delivered_at timestamptz,
    receipt bytea,
    stuck_at timestamptz,
    given_up_at timestamptz,
    reason text,
    UNIQUE (transfer_id, incarnation, seq)
);
CREATE INDEX peer_outbox_open ON peer_outbox (due_at, id)
    WHERE delivered_at IS NULL AND stuck_at IS NULL AND given_up_at IS NULL;
CREATE INDEX peer_outbox_of_peer ON peer_outbox (peer, incarnation);

CREATE TABLE barrier (
    city text PRIMARY KEY,
    incarnation bigint NOT NULL
);

CREATE TABLE directory_serial (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    serial bigint NOT NULL
);
INSERT INTO directory_serial (serial) VALUES (0);

-- k null: noted for the release. content: canonical JSON of M11, or of the one entry noted.
CREATE TABLE supplement (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id text NOT NULL,
    sender text NOT NULL,
    incarnation bigint NOT NULL,
    k bigint,
    digest text NOT NULL,
    previous text,
    object_digest text NOT NULL,
    message_id text,
    entries integer NOT NULL,
    content text NOT NULL,
    subject_id text NOT NULL,
    issuer text,
    entry_id text,
    version integer,
    parked boolean NOT NULL DEFAULT false,
    new integer,
    duplicates integer,
    quarantined integer,
    stored_at timestamptz NOT NULL DEFAULT now(),
    applied_at timestamptz,
    UNIQUE (transfer_id, sender, incarnation, k)
);
CREATE INDEX supplement_object ON supplement (object_digest);
CREATE UNIQUE INDEX supplement_noted ON supplement (transfer_id, issuer, entry_id, version)
    WHERE k IS NULL;

-- An entry version stands in one supplement of a channel at most (INV-14).
CREATE TABLE forwarded_entry (
    transfer_id text NOT NULL,
    issuer text NOT NULL,
    entry_id text NOT NULL,
    version integer NOT NULL,
    k bigint NOT NULL,
    PRIMARY KEY (transfer_id, issuer, entry_id, version)
);

CREATE TABLE bundle (
    transfer_id text NOT NULL,
    n integer NOT NULL,
    entries integer NOT NULL,
    digest text NOT NULL,
    bytes integer NOT NULL,
    sealed bytea NOT NULL,
    plain_digest text,
    PRIMARY KEY (transfer_id, n)
);
CREATE INDEX bundle_plain ON bundle (plain_digest);

CREATE TABLE bundle_list (
    transfer_id text PRIMARY KEY,
    digest text NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX bundle_list_digest ON bundle_list (digest);

CREATE TABLE seal_key (
    transfer_id text PRIMARY KEY,
    public text NOT NULL,
    wrapped bytea NOT NULL
);

CREATE TABLE notice (
    message_id text PRIMARY KEY,
    transfer_id text NOT NULL,
    kind text NOT NULL,
    content text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE policy (
    policy_id text NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,
    jurisdiction text[] NOT NULL,
    effective_from date NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (policy_id, version)
);

-- Append only.
CREATE TABLE rejected_input (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint text NOT NULL,
    peer text NOT NULL,
    claimed text,
    problem text NOT NULL,
    field text,
    instance text NOT NULL,
    raw bytea NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX rejected_input_by_age ON rejected_input (at);
CREATE TABLE alarm (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    transfer_id text,
    about jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE evidence (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id text NOT NULL,
    code text NOT NULL,
    digest text NOT NULL,
    document text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX evidence_of_transfer ON evidence (transfer_id);
"""


def upgrade() -> None:
    op.execute(ledger_tables())
    op.execute(reader_tables())
    op.execute(MOVES)


def downgrade() -> None:
    raise NotImplementedError("moves are never unmade; restore a backup instead")
