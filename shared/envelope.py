"""How does an event stand in a Kafka record? CloudEvents 1.0, binary mode (architecture.md 4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from shared.canonical import load
from shared.clock import read, wire_exact
from shared.messages import Message, Unreadable

# What the event table takes (its CHECK) and so what a reader must take.
MAX_VALUE_BYTES: Final = 262_144
MAX_KEY_BYTES: Final = 256
MAX_HEADERS: Final = 32
MAX_HEADER_BYTES: Final = 1_024
# Events are flat; the deepest (a policy document) nests less than half of this.
MAX_DATA_DEPTH: Final = 32

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic that a service owns, by its short name (``records.dossiers.v1``).

    ``key`` says in words what its key is. ``public``: subscribers outside may read it.
    ``retention``: None keeps for ever. ``partitions`` is fixed for ever per topic version.
    """

    name: str
    key: str
    public: bool
    description: str
    partitions: int = 8
    retention: timedelta | None = None

    def on(self, node: str) -> str:
        """The name on the broker: ``500000.records.dossiers.v1``."""
        return full_name(node, self.name)


def full_name(node: str, topic: str) -> str:
    """The short name with the node's prefix."""
    return f"{node}.{topic}"


def short_name(node: str, topic: str) -> str:
    """The name on the broker without the node's prefix; ``ValueError`` if it is another's."""
    prefix = f"{node}."
    if not topic.startswith(prefix):
        raise ValueError(f"topic {topic} is not of node {node}")
    return topic[len(prefix) :]


def source(node: str, service: str) -> str:
    """``ce_source``: ``/nodes/500000/records``."""
    return f"/nodes/{node}/{service}"


def encode_headers(
    *,
    source: str,
    event_id: UUID,
    type: str,
    subject: str,
    time: datetime,
    sequence: int | None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    custody_epoch: int | None = None,
    traceparent: str | None = None,
) -> Headers:
    """The headers of one record; the value beside them is the event's data as JSON bytes.

    ``source`` as ``source()`` gives it; ``subject`` is the record's key; ``time`` is when it
    occurred. Attributes that are None are left out.
    """
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event_id).encode("ascii")),
        ("ce_source", source.encode("utf-8")),
        ("ce_type", type.encode("ascii")),
        ("ce_subject", subject.encode("utf-8")),
        ("ce_time", wire_exact(time).encode("ascii")),
        ("content-type", b"application/json"),
    ]
    if sequence is not None:
        headers.append(("ce_sequence", b"%d" % sequence))
    if correlation_id is not None:
        headers.append(("ce_correlationid", correlation_id.encode("utf-8")))
    if causation_id is not None:
        headers.append(("ce_causationid", causation_id.encode("utf-8")))
    if custody_epoch is not None:
        headers.append(("ce_custodyepoch", b"%d" % custody_epoch))
    if traceparent is not None:
        headers.append(("ce_traceparent", traceparent.encode("ascii")))
    return headers


def decode(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | str | None]] | None,
    *,
    sequenced: bool = True,
) -> Message:
    """Opens one record of ``topic`` (short name); raises ``Unreadable``, which quotes no value.

    ``sequenced=False`` for topics that outsiders write: their records need no ``ce_sequence``, and
    a ``ce_id`` that is no UUID is turned into one, always the same, from source and id.
    """
    attributes = _attributes(headers)
    if _need(attributes, "ce_specversion") != "1.0":
        raise Unreadable("ce_specversion is not 1.0")
    content = attributes.get("content-type", "application/json").partition(";")[0]
    if content.strip().lower() != "application/json":
        raise Unreadable("content-type is not application/json")
    origin = _need(attributes, "ce_source")
    sequence = _count(attributes, "ce_sequence")
    if sequence is None and sequenced:
        raise Unreadable("ce_sequence is missing")
    return Message(
        topic=topic,
        key=_key(key),
        sequence=sequence,
        event_id=_event_id(_need(attributes, "ce_id"), origin, sequenced),
        source=origin,
        type=_need(attributes, "ce_type"),
        time=read(_need(attributes, "ce_time")),
        data=_data(value),
        correlation_id=attributes.get("ce_correlationid"),
        causation_id=attributes.get("ce_causationid"),
        custody_epoch=_count(attributes, "ce_custodyepoch"),
    )


def _attributes(headers: Iterable[tuple[str, bytes | str | None]] | None) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for n, (name, raw) in enumerate(headers or ()):
        if n >= MAX_HEADERS:
            raise Unreadable(f"there are more than {MAX_HEADERS} headers")
        if raw is None:
            continue
        if len(raw) > MAX_HEADER_BYTES:
            raise Unreadable(f"a header is longer than {MAX_HEADER_BYTES} bytes")
        name = name.lower()
        if name in attributes:
            raise Unreadable("a header stands twice")
        try:
            attributes[name] = raw if isinstance(raw, str) else raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Unreadable("a header is not UTF-8") from None
        if "\0" in attributes[name]:
            raise Unreadable("a header holds U+0000")
    return attributes


def _need(attributes: dict[str, str], name: str) -> str:
    value = attributes.get(name)
    if not value:
        raise Unreadable(f"{name} is missing")
    return value


def _count(attributes: dict[str, str], name: str) -> int | None:
    """A positive whole number that fits a bigint, or None where the header is absent."""
    text = attributes.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
        raise Unreadable(f"{name} is no positive whole number")
    return int(text)


def _event_id(text: str, origin: str, ours: bool) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        if ours:
            raise Unreadable("ce_id is no UUID") from None
        return uuid5(NAMESPACE_URL, f"{len(origin)}:{origin}{text}")


def _key(raw: bytes | None) -> str:
    if not raw:
        raise Unreadable("the key is missing")
    if len(raw) > MAX_KEY_BYTES:
        raise Unreadable(f"the key is longer than {MAX_KEY_BYTES} bytes")
    try:
        key = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("the key is not UTF-8") from None
    if "\0" in key:
        raise Unreadable("the key holds U+0000")
    return key


def _data(raw: bytes | None) -> dict[str, Any]:
    if raw is None:
        raise Unreadable("the value is missing")
    if len(raw) > MAX_VALUE_BYTES:
        raise Unreadable(f"the value is longer than {MAX_VALUE_BYTES} bytes")
    data = load(raw, max_depth=MAX_DATA_DEPTH)
    if not isinstance(data, dict):
        raise Unreadable("the value is no JSON object")
    return data
