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
from shared.postgres.migrations import ledger_tables, migrate, reader_tables
from shared.postgres.wakes import Wakes, listening

__all__ = [
    "Connection",
    "Database",
    "DatabaseRefuses",
    "Wakes",
    "advisory_key",
    "as_unavailable",
    "is_outage",
    "ledger_tables",
    "listening",
    "migrate",
    "reader_tables",
]
