"""How does a process reach its service's schema, and what does it make of a database that is away?

Two pools to one schema: ``ledger`` for the ledger, reader and relay, with the settings their
statements were measured under; ``pool`` for the service's own GETs.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from shared.messages import Unavailable

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"

CONNECT_SECONDS: Final = 5.0
# Above every statement_timeout: reached only when the server no longer answers at all.
COMMAND_SECONDS: Final = 45.0
LEADER_POLL_SECONDS: Final = 0.1
PLANNED_SECONDS: Final = 30

_SESSION: Final = {
    "timezone": "UTC",
    "synchronous_commit": "on",
    "jit": "off",
    "statement_timeout": "30s",
    # A transaction that stays open anywhere in the server holds every relay back.
    "idle_in_transaction_session_timeout": "15s",
    "transaction_timeout": "60s",
}
# Statements planned while their tables were empty would scan them until they are analysed. Arrays
# of one key look so cheap that the server would plan a statement anew each time it is sent: planned
# once instead, and again after ``PLANNED_SECONDS``, for an empty table has no index better than
# another.
_LEDGER_SESSION: Final = _SESSION | {
    "statement_timeout": "10s",
    "transaction_timeout": "30s",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "plan_cache_mode": "force_generic_plan",
}


class _UnknownParameter(asyncpg.ClientConfigurationError):
    """What asyncpg takes for a parameter of the server and the server does not."""


# What the server says to whom it does not let in: a wrong setting, or a grant that is missing.
_REFUSALS: Final = {
    asyncpg.InvalidPasswordError: "the server does not take this user with this password",
    asyncpg.InvalidAuthorizationSpecificationError: "the server does not let this user in",
    asyncpg.InvalidCatalogNameError: "the server has no database of this name",
    asyncpg.InsufficientPrivilegeError: "this user may not use the schema or a table of it",
    _UnknownParameter: "it has a parameter, or a value of one, that the server does not know",
    asyncpg.ClientConfigurationError: "it cannot be understood",
}
# What OpenSSL calls them: expired, another name, another address.
_UNTRUSTED: Final = {
    10: "the server's certificate has expired",
    62: "the server's certificate is for another name than JIEXU_DATABASE_URL has",
    64: "the server's certificate is for another address than JIEXU_DATABASE_URL has",
}
_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)


class DatabaseRefuses(Unavailable):
    """The server is there and does not let us in. At a start that ends the process, for settings
    are wrong; later it is an outage like others, for somebody changes a password or a grant."""


def is_outage(error: BaseException) -> bool:
    """Whether the database (or the way to it) is away, full or shutting down: worth a retry.

    A statement cancelled by ``statement_timeout`` (57014) is none: it says something of the
    statement, not of the server. Raises ``CancelledError`` where the task itself was cancelled:
    asyncpg may answer that with an error of its own, and who waited it out would never end.
    """
    away = _looks_like_an_outage(error)
    if away and _is_being_cancelled():
        raise asyncio.CancelledError from error
    return away


def _looks_like_an_outage(error: BaseException) -> bool:
    if isinstance(error, tuple(_REFUSALS)):
        return True
    # Of a server whose certificate is not taken, Python says ValueError as well.
    if isinstance(error, ssl.SSLError):
        return True
    # A ValueError among asyncpg's interface errors is an argument of the wrong type: a defect.
    return isinstance(error, _AWAY) and not isinstance(
        error, (asyncpg.QueryCanceledError, ValueError)
    )


def _is_being_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # outside a loop there is no task
        return False
    return task is not None and task.cancelling() > 0


def as_unavailable(error: BaseException) -> Unavailable:
    """The outage as the caller may see it: the kind of error, no address and no value."""
    if reason := _refusal(error):
        return DatabaseRefuses(reason, retry_after_seconds=5)
    return Unavailable(
        f"the database is away ({type(error).__name__}): "
        "see whether PostgreSQL runs where JIEXU_DATABASE_URL says",
        retry_after_seconds=1,
    )


def _refusal(error: BaseException) -> str | None:
    """The setting that is wrong, and how; None: it is something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        unsigned = "these authorities did not sign the server's certificate"
        return f"JIEXU_DATABASE_CA: {_UNTRUSTED.get(error.verify_code, unsigned)}"
    # asyncpg has no error of its own for this.
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        return (
            "JIEXU_DATABASE_SSLMODE: it demands TLS and the server speaks none; where it demands "
            "nothing, what answers at JIEXU_DATABASE_URL is no PostgreSQL"
        )
    for kind, reason in _REFUSALS.items():
        if isinstance(error, kind):
            return f"JIEXU_DATABASE_URL: {reason}"
    return None


@asynccontextmanager
async def outages_are_unavailable() -> AsyncIterator[None]:
    """Turns an outage inside the block into ``Unavailable``; everything else passes."""
    try:
        yield
    except BaseException as error:
        if is_outage(error):
            raise as_unavailable(error) from error
        raise


async def connect(
    url: str, *, command_seconds: float, session: Mapping[str, str] | None = None
) -> asyncpg.Connection[Any]:
    """One connection. Raises what asyncpg does, and of a URL that cannot be meant always an error
    that ``is_outage`` knows: what the URL says wrongly is no defect of ours."""
    try:
        return await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            command_timeout=command_seconds,
            max_cached_statement_lifetime=PLANNED_SECONDS,
            server_settings=dict(session or {}),
        )
    except (asyncpg.UndefinedObjectError, asyncpg.InvalidParameterValueError) as error:
        raise _UnknownParameter("of the URL") from error
    except ValueError as error:
        # asyncpg's own errors are some of them ValueErrors too, and so is one of ssl.
        if isinstance(error, asyncpg.InterfaceError | ssl.SSLError):
            raise
        raise asyncpg.ClientConfigurationError("the URL cannot be read") from error


def advisory_key(*parts: str) -> int:
    """The bigint that stands for a name in ``pg_advisory_lock``; the same in every process."""
    name = "\x1f".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)


class Database:
    """One service's schema on one server: two pools, opened by ``async with`` or ``open()``.

    Opening reaches for no server: a database that is away is found by the first statement, so a
    service starts while it is down. ``schema`` is the search path of every connection.
    ``lock_timeout_seconds`` must stay below the statements' own 10 and 30 s.
    """

    def __init__(
        self,
        url: str,
        schema: str,
        *,
        ledger_connections: int = 8,
        connections: int = 8,
        lock_timeout_seconds: float = 2.0,
        name: str = "jiexu",
    ) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", schema):
            raise ValueError("a schema is a short lower-case name")
        self.url = url
        self.schema = schema
        self._sizes = (ledger_connections, connections)
        self._locks = {"lock_timeout": f"{round(lock_timeout_seconds * 1000)}ms"}
        self._name = name
        self._ledger: asyncpg.Pool[Any] | None = None
        self._pool: asyncpg.Pool[Any] | None = None

    async def __aenter__(self) -> Database:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Makes the pools on the running loop; connects to nothing yet."""
        if self._pool is None:
            self._ledger = await self._make_pool(self._sizes[0], _LEDGER_SESSION, "ledger")
            self._pool = await self._make_pool(self._sizes[1], _SESSION, "queries")

    async def close(self) -> None:
        """Waits 5 s for what runs, then cuts it off."""
        pools = [pool for pool in (self._ledger, self._pool) if pool is not None]
        self._ledger = self._pool = None
        for pool in pools:
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @property
    def pool(self) -> asyncpg.Pool[Any]:
        """For the service's GETs."""
        if self._pool is None:
            raise RuntimeError("the database is not open")
        return self._pool

    @property
    def ledger(self) -> asyncpg.Pool[Any]:
        """For ledger, reader, relay and jobs."""
        if self._ledger is None:
            raise RuntimeError("the database is not open")
        return self._ledger

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection for queries; an outage inside is ``Unavailable``."""
        async with outages_are_unavailable(), self.pool.acquire(timeout=CONNECT_SECONDS) as one:
            yield one

    async def connect(self, *, application: str) -> asyncpg.Connection[Any]:
        """A connection outside the pools (to listen, to hold a lock); the caller closes it."""
        return await self._connect_with(_LEDGER_SESSION, application)

    async def ping(self) -> None:
        """Answers, or raises ``Unavailable``."""
        async with self.reading() as connection:
            await connection.fetchval("SELECT 1", timeout=CONNECT_SECONDS)

    async def wait(self, *, seconds: float | None = None) -> None:
        """Waits until the server answers; ``Unavailable`` after ``seconds`` (None: for ever)."""
        deadline = None if seconds is None else time.monotonic() + seconds
        pause = 0.05
        while True:
            try:
                return await self.ping()
            except Unavailable:
                if deadline is not None and time.monotonic() > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    @property
    def channel(self) -> str:
        """Where NOTIFY wakes this schema's relay (payload ``event``) and jobs (``job``)."""
        return f"jiexu_{self.schema}"

    async def as_the_only_one(self, role: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs ``work`` while holding the advisory lock of ``role`` in this schema; for ever.

        Others stand by, asking again every 100 ms (a waiting statement would hold a snapshot, and
        so VACUUM, back). When the lock's connection is lost, ``work`` is cancelled and the lock
        sought again. Returns or raises when ``work`` does.
        """
        while True:
            try:
                connection = await self.connect(application=f"{self._name}:{role}")
            except Exception as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(1.0)
                continue
            lost = asyncio.Event()
            connection.add_termination_listener(lambda *_, lost=lost: lost.set())
            try:
                if await self._take(connection, role, lost) and await _until(work, lost):
                    return
            finally:
                connection.terminate()

    async def _take(
        self, connection: asyncpg.Connection[Any], role: str, lost: asyncio.Event
    ) -> bool:
        key = advisory_key(self.schema, role)
        while not lost.is_set():
            try:
                if await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
                    return True
            except Exception as error:
                if not is_outage(error):
                    raise
                return False
            await asyncio.sleep(LEADER_POLL_SECONDS)
        return False

    async def _make_pool(self, size: int, session: dict[str, str], role: str) -> asyncpg.Pool[Any]:
        async def connect(*_: object, **__: object) -> asyncpg.Connection[Any]:
            return await self._connect_with(session, f"{self._name}:{role}")

        return await asyncpg.create_pool(
            min_size=0,
            max_size=size,
            max_inactive_connection_lifetime=300.0,
            connect=connect,
            reset=_end_transaction,
        )

    async def _connect_with(
        self, session: dict[str, str], application: str
    ) -> asyncpg.Connection[Any]:
        return await connect(
            self.url,
            command_seconds=COMMAND_SECONDS,
            session=session
            | self._locks
            | {"search_path": self.schema, "application_name": application[:63]},
        )


async def _end_transaction(connection: asyncpg.Connection[Any]) -> None:
    # asyncpg's own reset costs a round trip each time; we change no session setting.
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def _until(work: Callable[[], Awaitable[None]], lost: asyncio.Event) -> bool:
    """Runs work; False when the lock was lost first (work is then cancelled and waited for)."""
    working = asyncio.ensure_future(work())
    watching = asyncio.ensure_future(lost.wait())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            return True
        return False
    finally:
        watching.cancel()
        working.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
