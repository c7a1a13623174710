"""How is a service's PostgreSQL schema reached, migrated, and told apart from an outage?"""

from __future__ import annotations

from shared.postgres.database import (
    Connection,
    Database,
    DatabaseRefuses,
    advisory_key,
    as_unavailable,
    is_outage,
)
from shared.postgres.migrations import (
    UNPROVISIONED,
    check_schema,
    ledger_tables,
    migrate,
    reader_tables,
)
from shared.postgres.together import Statement, by_columns, execute_together, fetch_together
from shared.postgres.wakes import Wakes, listening

__all__ = [
    "UNPROVISIONED",
    "Connection",
    "Database",
    "DatabaseRefuses",
    "Statement",
    "Wakes",
    "advisory_key",
    "as_unavailable",
    "by_columns",
    "check_schema",
    "execute_together",
    "fetch_together",
    "is_outage",
    "ledger_tables",
    "listening",
    "migrate",
    "reader_tables",
]
