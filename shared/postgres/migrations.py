"""How does a schema come to its present shape? Alembic revisions that hold SQL, run by asyncpg."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.messages import Unavailable
from shared.postgres.database import (
    Connection,
    advisory_key,
    as_unavailable,
    connect,
    outages_are_unavailable,
)

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATION_SECONDS: Final = 300.0
UNPROVISIONED: Final = "the schema is not provisioned yet: run the role provision"

# Alembic is imported where it is used: it brings SQLAlchemy along (half a second and 20 MB), and
# only provisioning migrates.


def ledger_tables() -> str:
    """The SQL of a service's ledger: aggregate, stream, event, answer, job, relay's tables."""
    return files("shared.postgres").joinpath("ledger_tables.sql").read_text("utf-8")


def reader_tables() -> str:
    """The SQL of what a service has read: source_progress, source_key, parked, refused_fact."""
    return files("shared.postgres").joinpath("reader_tables.sql").read_text("utf-8")


async def migrate(url: str, schema: str, migrations: Path) -> tuple[str, ...]:
    """Brings ``schema`` (made if absent) to the newest revision; returns the revisions run.

    ``migrations`` is a room with ``versions/0001_….py`` files whose ``upgrade`` calls
    ``op.execute``. All pending revisions run in one transaction; two provisioners wait for each
    other. Safe to run again. Raises ``Unavailable`` when the server cannot be reached, and
    ``DatabaseRefuses`` when it does not let us in.
    """
    async with outages_are_unavailable():
        connection = await connect(url, command_seconds=MIGRATION_SECONDS)
    try:
        return await _upgrade(connection, schema, migrations)
    except asyncpg.InsufficientPrivilegeError as error:
        raise as_unavailable(error) from error
    finally:
        await connection.close(timeout=5)


async def check_schema(connection: Connection, migrations: Path) -> None:
    """Raises ``Unavailable`` while the schema is older than the newest of ``migrations``.

    A newer one is well: migrations only add, so that processes of the release before go on.
    """
    known = None
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is not None:
        known = await connection.fetchval("SELECT version_num FROM alembic_version")
    if known is None:
        raise Unavailable(UNPROVISIONED)
    newest = max(each.name.partition("_")[0] for each in (migrations / "versions").glob("*_*.py"))
    if known < newest:
        raise Unavailable(
            f"the schema stands at revision {known}, and this release needs {newest}: "
            "run the role provision"
        )


async def _upgrade(
    connection: asyncpg.Connection[Any], schema: str, migrations: Path
) -> tuple[str, ...]:
    from alembic.script import ScriptDirectory

    await connection.execute("SELECT pg_advisory_lock($1)", advisory_key(schema, "migrate"))
    async with connection.transaction():
        # A role that owns its schema and nothing else may not even ask whether it is there.
        if await connection.fetchval("SELECT to_regnamespace($1) IS NULL", f'"{schema}"'):
            await connection.execute(f'CREATE SCHEMA "{schema}"')
        await connection.execute(f'SET LOCAL search_path TO "{schema}"')
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) PRIMARY KEY)"
        )
        current = await connection.fetchval("SELECT version_num FROM alembic_version")
        script = ScriptDirectory.from_config(_config(migrations))
        pending = tuple(
            revision.revision
            for revision in reversed(tuple(script.iterate_revisions("head", current or "base")))
            if revision.revision != current
        )
        if pending:
            # Alembic writes the SQL and keeps its version table; asyncpg runs it as one script.
            await connection.execute(_sql(migrations, current))
    return pending


def _config(migrations: Path) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _sql(migrations: Path, current: str | None) -> str:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = _config(migrations)
    script = ScriptDirectory.from_config(config)
    written = io.StringIO()

    def steps(revision: Any, context: Any) -> Any:
        return script._upgrade_revs("head", current or "base")

    with EnvironmentContext(
        config, script, fn=steps, as_sql=True, starting_rev=current, destination_rev="head"
    ) as environment:
        environment.configure(
            dialect_name="postgresql",
            # The default style writes every % twice.
            dialect_opts={"paramstyle": "named"},
            output_buffer=written,
            transactional_ddl=False,
        )
        environment.run_migrations()
    return written.getvalue().replace("CREATE TABLE alembic_version", _VERSION_TABLE)


# Alembic makes its version table when it starts from nothing; ours stands already.
_VERSION_TABLE = "CREATE TABLE IF NOT EXISTS alembic_version"
