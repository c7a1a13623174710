"""How are the ids of commands, events, jobs and records made, so that a repeat makes the same?

Pure, but for ``random_hex``: the domain may import everything else (architecture.md 3).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

COMMANDS = UUID("0b6f1c1e-5d0b-5c5e-9d9a-2f6d3c1c7a01")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _name(*parts: str) -> str:
    # Lengths before the parts: ("ab", "c") and ("a", "bc") must not meet.
    return "".join(f"{len(part)}:{part}" for part in parts)


def request_command_id(actor_id: str, route: str, idempotency_key: str) -> UUID:
    """uuid5(actor ‖ route ‖ Idempotency-Key): the command of one HTTP request."""
    return uuid5(COMMANDS, _name("request", actor_id, route, idempotency_key))


def fact_command_id(event_id: UUID, kind: str, target: str) -> UUID:
    """uuid5(event id ‖ kind ‖ target): the command that a neighbour's event leads to.

    ``target`` tells apart several commands of one kind (the entry, say).
    """
    return uuid5(COMMANDS, _name("fact", str(event_id), kind, target))


def job_id(command_id: UUID, kind: str, target: str, discriminator: str = "") -> UUID:
    """The id of a job that this command schedules; the job's last command bears it too."""
    return uuid5(COMMANDS, _name("job", str(command_id), kind, target, discriminator))


def job_command_id(job: UUID, n: int) -> UUID:
    """The id of the ``n``-th command (from 0) of a job that sends several before its last."""
    return uuid5(COMMANDS, _name("job-command", str(job), str(n)))


def row_command_id(batch_id: str, row: int) -> UUID:
    """The command that imports one row (from 1) of a batch."""
    return uuid5(COMMANDS, _name("row", batch_id, str(row)))


def event_id(command_id: UUID, n: int) -> UUID:
    """uuid5(command_id, n): the ``n``-th event (from 0) of a command. Unique in the ledger."""
    return uuid5(command_id, str(n))


def ulid(at: datetime, entropy: bytes) -> str:
    """26 Crockford characters: 48 bits of milliseconds and 80 given bits; sorts by time."""
    if len(entropy) != 10:
        raise ValueError("a ULID needs 10 bytes beside its time")
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= milliseconds < 1 << 48:
        raise ValueError("a ULID holds instants from 1970 on")
    number = milliseconds << 80 | int.from_bytes(entropy, "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def command_ulid(at: datetime, command_id: UUID, n: int = 0) -> str:
    """The ULID of the ``n``-th thing a command makes: time ``at``, other bits from the command.

    A repeat makes the same; of two things the one recorded first has the smaller ULID.
    """
    return ulid(at, hashlib.sha256(command_id.bytes + n.to_bytes(4, "big")).digest()[:10])


def ulid_time(text: str) -> datetime:
    """The instant in a ULID; raises ``ValueError`` if it is none."""
    if len(text) != 26 or text[0] > "7" or any(c not in _CROCKFORD for c in text):
        raise ValueError("not a ULID")
    number = 0
    for character in text:
        number = number << 5 | _CROCKFORD.index(character)
    return _EPOCH + timedelta(milliseconds=number >> 80)


def random_hex(size_bytes: int) -> str:
    """Fresh random bytes in lower-case hex. For edges only: it reads the system's randomness."""
    return secrets.token_hex(size_bytes)
