"""Ledger, reader and the counter's tables."""

from __future__ import annotations

from alembic import op

from shared.postgres import ledger_tables, reader_tables
from tests.support.counter import TABLES

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(ledger_tables())
    op.execute(reader_tables())
    op.execute(TABLES)
