-- The ledger of one service (architecture: ledger, relay, jobs). Run once per schema, with
-- search_path set to it. Nothing here names a noun of any service.

CREATE TABLE aggregate (
    kind text NOT NULL,
    id text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    state jsonb NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Never deleted from: readers would skip a sequence that began again at 1.
CREATE TABLE stream (
    topic text NOT NULL,
    key text NOT NULL,
    last_sequence bigint NOT NULL CHECK (last_sequence > prev),
    prev bigint NOT NULL CHECK (prev >= 0),
    PRIMARY KEY (topic, key)
);

CREATE TABLE node_incarnation (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    number integer NOT NULL CHECK (number > 0),
    system_identifier bigint NOT NULL,
    timeline_id integer NOT NULL
);
INSERT INTO node_incarnation (number, system_identifier, timeline_id)
SELECT 1, s.system_identifier, c.timeline_id
FROM pg_control_system() AS s, pg_control_checkpoint() AS c;

-- Append-only: what the relay publishes, and the audit trail.
CREATE TABLE event (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incarnation integer NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    topic text,
    key text NOT NULL,
    sequence bigint,
    event_id uuid NOT NULL UNIQUE,
    type text NOT NULL,
    data text NOT NULL CHECK (octet_length(data) <= 262144),
    actor_id text NOT NULL,
    correlation_id text,
    causation_id text,
    custody_epoch integer,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (topic, key, sequence),
    CHECK ((topic IS NULL) = (sequence IS NULL))
);
CREATE INDEX event_in_commit_safe_order ON event (incarnation, xid, position);

CREATE TABLE answer (
    command_id uuid PRIMARY KEY,
    digest bytea NOT NULL,
    status smallint NOT NULL,
    body text NOT NULL,
    secret boolean NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX answer_by_age ON answer (answered_at);

CREATE TABLE job (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    target_kind text NOT NULL,
    target_id text NOT NULL,
    data text NOT NULL,
    correlation_id text,
    state text NOT NULL CHECK (state IN ('waiting', 'done', 'cancelled')),
    due_at timestamptz NOT NULL,
    try_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE INDEX job_waiting ON job (try_at) WHERE state = 'waiting';
CREATE INDEX job_waiting_for ON job (target_kind, target_id, kind) WHERE state = 'waiting';

CREATE TABLE relay_cursor (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    incarnation integer NOT NULL,
    xid xid8 NOT NULL,
    position bigint NOT NULL
);
INSERT INTO relay_cursor (incarnation, xid, position) VALUES (0, '0', 0);

-- What stands last in each partition, as acknowledged: moved with the cursor. A log that is
-- shorter, of another topic id, or holds another event there, has lost what was in it.
CREATE TABLE relay_offset (
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL,
    last_event_id uuid NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- A topic whose events after this point, up to the cursor, are to be published again: after a
-- loss, or asked for by hand. Moved as it is done, deleted when it is.
CREATE TABLE relay_repair (
    topic text PRIMARY KEY,
    incarnation integer NOT NULL,
    xid xid8 NOT NULL,
    position bigint NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);

-- The one write of a batch: arrays in, everything or an exception. Rows come sorted by key, so
-- two batches take their rows in one order. JX001 names what another transaction changed since
-- it was read.
CREATE FUNCTION ledger_write(
    a_kind text[], a_id text[], a_version bigint[], a_state text[],
    r_kind text[], r_id text[], r_version bigint[],
    s_topic text[], s_key text[], s_last bigint[], s_prev bigint[],
    e_topic text[], e_key text[], e_sequence bigint[], e_id uuid[], e_type text[], e_data text[],
    e_actor text[], e_correlation text[], e_causation text[], e_epoch integer[],
    e_occurred timestamptz[],
    d_job uuid[],
    c_kind text[], c_target_kind text[], c_target_id text[],
    j_id uuid[], j_kind text[], j_target_kind text[], j_target_id text[], j_data text[],
    j_correlation text[], j_state text[], j_due timestamptz[],
    w_command uuid[], w_digest bytea[], w_status integer[], w_body text[], w_secret boolean[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    lost text[] := '{}';
BEGIN
    IF cardinality(a_kind) > 0 THEN
        INSERT INTO aggregate AS t (kind, id, version, state)
        SELECT x.kind, x.id, x.version, x.state::jsonb
        FROM unnest(a_kind, a_id, a_version, a_state) AS x(kind, id, version, state)
        ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, state = excluded.state
        WHERE t.version = excluded.version - 1;
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken < cardinality(a_kind) THEN
            lost := lost || array(
                SELECT 'a|' || t.kind || '|' || t.id
                FROM unnest(a_kind, a_id) AS x(kind, id)
                JOIN aggregate AS t ON t.kind = x.kind AND t.id = x.id
                WHERE t.xmin <> pg_current_xact_id()::xid
            );
        END IF;
    END IF;
    IF cardinality(r_kind) > 0 THEN
        -- Read and not changed: still as they were, and so until this commits.
        SELECT count(*) INTO taken FROM (
            SELECT 1
            FROM unnest(r_kind, r_id, r_version) AS x(kind, id, version)
            JOIN aggregate AS t ON t.kind = x.kind AND t.id = x.id AND t.version = x.version
            FOR SHARE OF t
        ) AS held;
        IF taken < (SELECT count(*) FROM unnest(r_version) AS v WHERE v > 0)
            OR EXISTS (
                SELECT FROM unnest(r_kind, r_id, r_version) AS x(kind, id, version)
                JOIN aggregate AS t ON t.kind = x.kind AND t.id = x.id
                WHERE x.version = 0
            )
        THEN
            lost := lost || array(
                SELECT 'a|' || x.kind || '|' || x.id FROM unnest(r_kind, r_id) AS x(kind, id)
            );
        END IF;
    END IF;
    IF cardinality(s_topic) > 0 THEN
        INSERT INTO stream AS t (topic, key, last_sequence, prev)
        SELECT * FROM unnest(s_topic, s_key, s_last, s_prev)
        ON CONFLICT (topic, key) DO UPDATE
        SET last_sequence = excluded.last_sequence, prev = excluded.prev
        WHERE t.last_sequence = excluded.prev;
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken < cardinality(s_topic) THEN
            lost := lost || array(
                SELECT 's|' || t.topic || '|' || t.key
                FROM unnest(s_topic, s_key) AS x(topic, key)
                JOIN stream AS t ON t.topic = x.topic AND t.key = x.key
                WHERE t.xmin <> pg_current_xact_id()::xid
            );
        END IF;
    END IF;
    IF cardinality(d_job) > 0 THEN
        UPDATE job SET state = 'done', ended_at = now()
        WHERE id = ANY (d_job) AND state = 'waiting';
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken < cardinality(d_job) THEN
            lost := lost || array(SELECT 'j|' || x FROM unnest(d_job) AS x);
        END IF;
    END IF;
    IF cardinality(lost) > 0 THEN
        RAISE EXCEPTION 'changed since it was read'
            USING ERRCODE = 'JX001', DETAIL = array_to_json(lost)::text;
    END IF;
    IF cardinality(e_id) > 0 THEN
        INSERT INTO event (incarnation, topic, key, sequence, event_id, type, data, actor_id,
            correlation_id, causation_id, custody_epoch, occurred_at)
        SELECT (SELECT number FROM node_incarnation), x.*
        FROM unnest(e_topic, e_key, e_sequence, e_id, e_type, e_data, e_actor, e_correlation,
            e_causation, e_epoch, e_occurred) AS x;
    END IF;
    IF cardinality(c_kind) > 0 THEN
        UPDATE job AS t SET state = 'cancelled', ended_at = now()
        FROM unnest(c_kind, c_target_kind, c_target_id) AS x(kind, target_kind, target_id)
        WHERE t.state = 'waiting' AND t.kind = x.kind
            AND t.target_kind = x.target_kind AND t.target_id = x.target_id;
    END IF;
    IF cardinality(j_id) > 0 THEN
        INSERT INTO job (id, kind, target_kind, target_id, data, correlation_id, state, due_at,
            try_at, ended_at)
        SELECT x.id, x.kind, x.target_kind, x.target_id, x.data, x.correlation, x.state, x.due,
            x.due, CASE WHEN x.state = 'cancelled' THEN now() END
        FROM unnest(j_id, j_kind, j_target_kind, j_target_id, j_data, j_correlation, j_state,
            j_due) AS x(id, kind, target_kind, target_id, data, correlation, state, due);
    END IF;
    IF cardinality(w_command) > 0 THEN
        INSERT INTO answer (command_id, digest, status, body, secret)
        SELECT * FROM unnest(w_command, w_digest, w_status, w_body, w_secret);
    END IF;
END
$$;
