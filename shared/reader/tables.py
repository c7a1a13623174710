"""Which tables of a service's schema belong to its reader?

``shared.postgres`` makes them together with the ledger's own; names are found by ``search_path``.
"""

from __future__ import annotations

from typing import Final

READER_TABLES: Final = """
-- How far each partition of a source has been read: fence and lag. The offset moves in the
-- transaction of the batch itself; `owner` is the reader that took the partition up last, so a
-- reader that lost it without noticing writes nothing more. `caught_up_at`: the source was once
-- read to the end as it then was.
CREATE TABLE source_progress (
    topic text NOT NULL,
    partition integer NOT NULL CHECK (partition >= 0),
    topic_id text NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    owner uuid NOT NULL,
    caught_up_at timestamptz,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);
-- The one rule for repeats. `prev` is what the guard of the upsert compares.
CREATE TABLE source_key (
    topic text NOT NULL,
    key text NOT NULL,
    last_sequence bigint NOT NULL CHECK (last_sequence > prev),
    prev bigint NOT NULL CHECK (prev >= 0),
    PRIMARY KEY (topic, key)
);
-- Messages that must wait, whole, in the order of their key. Only a key's first row is due.
CREATE TABLE parked (
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    partition integer NOT NULL,
    position bigint NOT NULL,
    raw jsonb NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, key, sequence)
);
CREATE INDEX parked_due ON parked (due_at) WHERE due_at IS NOT NULL;
-- Facts that a rule refused for good: what was asked, and which rule said no.
CREATE TABLE refused_fact (
    command_id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint,
    type text NOT NULL,
    command text NOT NULL,
    rejection text NOT NULL,
    members jsonb NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
);
"""
