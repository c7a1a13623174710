"""Ledger and reader tables, and registry's own: vault, persons, organisations, policies, codes."""

from __future__ import annotations

from alembic import op

from shared.postgres import ledger_tables, reader_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
-- The only place of personal values, all of them encrypted. Without its wrapped key a row is noise.
CREATE TABLE vault (
    vault_id text PRIMARY KEY,
    wrapped_key bytea NOT NULL,
    profile bytea NOT NULL
);

-- Whose values these are: a subject's, or an application's until it becomes one.
CREATE TABLE person (
    ref text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('subject', 'applicant')),
    vault_id text NOT NULL UNIQUE REFERENCES vault ON DELETE CASCADE
);

-- Who read the vault, and why. Kept at least six months.
CREATE TABLE vault_access (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor_id text NOT NULL,
    purpose text NOT NULL,
    refs text[] NOT NULL
);
CREATE INDEX vault_access_by_age ON vault_access (at);

-- What reviewers look through: people by region and level of verification.
CREATE TABLE registration (
    ref text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('subject', 'applicant')),
    residence_region text NOT NULL,
    verification text NOT NULL,
    last_result text,
    by_hand boolean NOT NULL,
    home text,
    registered_at timestamptz NOT NULL
);
CREATE INDEX registration_to_verify ON registration (residence_region, registered_at, ref)
    WHERE verification NOT IN ('document_seen', 'verified_online') AND home IS NULL;

CREATE TABLE application (
    applicant_ref text PRIMARY KEY,
    login_id text NOT NULL,
    registered_at timestamptz NOT NULL
);
CREATE INDEX application_by_login ON application (login_id, registered_at, applicant_ref);

CREATE TABLE organisation (
    organisation_id text PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL,
    uscc text UNIQUE,
    filing_office text,
    filing_number text,
    seat_region text NOT NULL,
    scope text NOT NULL,
    established_on date NOT NULL,
    charity boolean NOT NULL,
    supervising_body_id text,
    standing text NOT NULL,
    vault_id text REFERENCES vault,
    UNIQUE (filing_office, filing_number),
    CHECK ((uscc IS NULL) <> (filing_number IS NULL))
);
CREATE INDEX organisation_by_name ON organisation (name, organisation_id);
CREATE INDEX organisation_by_seat ON organisation (seat_region, name, organisation_id);

CREATE TABLE policy_version (
    policy_id text NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,
    jurisdiction text[] NOT NULL,
    effective_from date NOT NULL,
    correction boolean NOT NULL,
    source text NOT NULL,
    content text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (policy_id, version)
);
CREATE INDEX policy_version_by_kind ON policy_version (kind, effective_from);

-- Of a code its id and its encrypted key; the code itself is nowhere.
CREATE TABLE transfer_code (
    code_id text PRIMARY KEY,
    subject_id text NOT NULL,
    sealed_key bytea NOT NULL
);

CREATE TABLE application_code (
    applicant_ref text PRIMARY KEY,
    code_id text NOT NULL,
    sealed_key bytea NOT NULL
);

CREATE TABLE transfer_seen (
    transfer_id text PRIMARY KEY,
    role text NOT NULL,
    applicant_ref text,
    subject_id text,
    since timestamptz NOT NULL
);
CREATE INDEX transfer_seen_by_subject ON transfer_seen (subject_id, since, transfer_id);
CREATE INDEX transfer_seen_by_applicant ON transfer_seen (applicant_ref, since, transfer_id);
"""


def upgrade() -> None:
    op.execute(ledger_tables())
    op.execute(reader_tables())
    op.execute(_TABLES)
