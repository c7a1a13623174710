-- What a service has read of others' topics (shared.reader). Run once per schema, after the
-- ledger's tables.

-- How far each partition has been read: fence and lag. The offset moves in the transaction of
-- the batch itself. `owner` is the reader that took the partition up last: one that lost it
-- without noticing writes nothing more. `caught_up_at`: the source was once read to the end as
-- it then was. `cut`: the log began beyond next_offset, so records are gone that we never read.
CREATE TABLE source_progress (
    topic text NOT NULL,
    partition integer NOT NULL CHECK (partition >= 0),
    topic_id text NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    owner uuid NOT NULL,
    cut boolean NOT NULL DEFAULT false,
    caught_up_at timestamptz,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);

-- The one rule for repeats; `prev` is what the upsert's guard compares.
CREATE TABLE source_key (
    topic text NOT NULL,
    key text NOT NULL,
    last_sequence bigint NOT NULL CHECK (last_sequence > prev),
    prev bigint NOT NULL CHECK (prev >= 0),
    PRIMARY KEY (topic, key)
);

-- Messages of a key that must wait, whole, in the order of their sequence. `due_at` stands on a
-- key's first row (and on one that closes a gap before it); the others wait behind it.
CREATE TABLE parked (
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    partition integer NOT NULL,
    raw text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, key, sequence)
);
CREATE INDEX parked_due ON parked (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX parked_by_partition ON parked (topic, partition);

-- A fact whose command a rule refused for good: what was asked, and which rule said no.
CREATE TABLE refused_fact (
    command_id uuid PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    command text NOT NULL,
    rejection text NOT NULL,
    members text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
);
