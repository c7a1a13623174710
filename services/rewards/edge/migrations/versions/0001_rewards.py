"""The ledger of this service, what it reads, and the tables that its GETs read."""

from __future__ import annotations

from alembic import op

from shared.postgres import ledger_tables, reader_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
-- Every version of every star policy that registry published and this service evaluates.
CREATE TABLE star_policy (
    policy_id      text NOT NULL,
    version        integer NOT NULL,
    effective_from date NOT NULL,
    content        jsonb NOT NULL,
    PRIMARY KEY (policy_id, version)
);

-- Where each subject stands under each policy: for "levels per region".
CREATE TABLE standing (
    subject_id       text NOT NULL,
    policy_id        text NOT NULL,
    policy_version   integer NOT NULL,
    eligible_minutes bigint NOT NULL CHECK (eligible_minutes >= 0),
    level            integer NOT NULL,
    region           text NOT NULL,
    PRIMARY KEY (subject_id, policy_id)
);
CREATE INDEX standing_by_region ON standing (policy_id, region, level);

-- Open applications, and held stars under review: what reviewers have before them.
CREATE TABLE application (
    subject_id       text NOT NULL,
    policy_id        text NOT NULL,
    policy_version   integer NOT NULL,
    level            integer NOT NULL,
    stage            text NOT NULL
        CHECK (stage IN ('applied', 'passed', 'failed', 'publicised')),
    authority        text NOT NULL,
    region           text NOT NULL,
    basis_minutes    bigint NOT NULL,
    applied_on       date NOT NULL,
    due_on           date,
    publicised_until date,
    PRIMARY KEY (subject_id, policy_id)
);
CREATE INDEX application_by_region ON application (region, applied_on, subject_id, policy_id);

CREATE TABLE held_star_review (
    subject_id text NOT NULL,
    policy_id  text NOT NULL,
    level      integer NOT NULL,
    cause      text NOT NULL,
    region     text NOT NULL,
    opened_on  date NOT NULL,
    PRIMARY KEY (subject_id, policy_id)
);
CREATE INDEX held_star_review_by_region
    ON held_star_review (region, opened_on, subject_id, policy_id);

-- What a deciding person wrote: free text rides no topic.
CREATE TABLE decision_reason (
    command_id uuid PRIMARY KEY,
    subject_id text NOT NULL,
    policy_id  text NOT NULL,
    kind       text NOT NULL,
    reasons    text NOT NULL CHECK (char_length(reasons) <= 200),
    actor_id   text NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX decision_reason_by_subject ON decision_reason (subject_id, at);
"""


def upgrade() -> None:
    op.execute(ledger_tables())
    op.execute(reader_tables())
    op.execute(TABLES)
