"""What does a process tell of itself? JSON log lines and Prometheus metrics, nothing personal."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from shared.messages import Unavailable, Unreadable

REDACTED: Final = "[redacted]"
MAX_TEXT_CHARACTERS: Final = 500
MAX_FRAMES: Final = 12
# One outage of the broker wrote 2,000 lines from its clients.
CLIENT_LINES_PER_MINUTE: Final = 20

# Members that hold a person's or a secret's value, whatever it looks like.
_NAMED: Final = frozenset(
    {
        *("name", "full_name", "number", "id_number", "phone", "mobile", "email", "address"),
        *("birth_date", "code", "token", "password", "secret", "authorization", "cookie"),
        *("body", "raw", "value", "text", "input", "detail"),
    }
)
# 15 or 18 digits with a birth date inside; a mobile; an e-mail address.
_PERSONAL = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
    r"|[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}"
    r"|(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}"
    r")(?![0-9A-Za-z])"
    r"|[\w.+-]+@[\w-]+\.[\w.]+"
)
_SAFE_ERRORS = (Unavailable, Unreadable)

# From a millisecond (an append) to what a caller still waits for.
SECONDS_BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


def redact(value: Any) -> Any:
    """The value with whatever looks personal taken out; containers are walked."""
    if isinstance(value, str):
        return _PERSONAL.sub(REDACTED, value[:MAX_TEXT_CHARACTERS])
    if isinstance(value, Mapping):
        return {
            str(key): REDACTED if str(key).lower() in _NAMED else redact(member)
            for key, member in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or abs(value) < 10**10 else redact(str(value))
    if isinstance(value, BaseException):
        return describe(value)
    return redact(str(value))


def describe(error: BaseException) -> str:
    """Type and place of an error; its text may quote a row or a request: only ours is shown."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    places = " < ".join(f"{_short(f.filename)}:{f.lineno} {f.name}" for f in reversed(frames))
    text = f": {redact(str(error))}" if isinstance(error, _SAFE_ERRORS) else ""
    cause = error.__cause__ or error.__context__
    because = f" because of {type(cause).__name__}" if cause is not None else ""
    return f"{type(error).__name__}{text}{because}" + (f" at {places}" if places else "")


def configure_logging(
    service: str, node: str, level: str = "info", stream: TextIO | None = None
) -> None:
    """One JSON object a line on standard error, for our own loggers and those of libraries."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _whence(service, node),
        _without_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(ClientLines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Access lines hold paths with ids, one a request; the metrics count them.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore", "aiokafka", "faust", "mode", "kafka", "alembic", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)


class ClientLines(logging.Filter):
    """Lets each library logger write so many lines a minute and then says how many it held back."""

    def __init__(
        self,
        lines_per_minute: int = CLIENT_LINES_PER_MINUTE,
        ours: Iterable[str] = ("shared", "services", "node"),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._limit = lines_per_minute
        self._ours = tuple(ours)
        self._now = now
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        origin = record.name.partition(".")[0]
        if origin in self._ours:
            return True
        since, count = self._seen.get(origin, (self._now(), 0))
        if self._now() - since >= 60:
            held = count - self._limit
            since, count = self._now(), 0
            if held > 0:
                record.msg = f"{record.getMessage()} ({held} lines of {origin} were held back)"
                record.args = ()
        self._seen[origin] = (since, count + 1)
        return count < self._limit


class Metrics:
    """The metrics of one process, in a registry of its own; all names begin with ``jiexu_``.

    Asking twice for the same name gives the same metric. Labels are names of ours (topic, route,
    kind), never ids.
    """

    def __init__(self, service: str, node: str) -> None:
        self.registry = CollectorRegistry()
        self._known: dict[str, Counter | Gauge | Histogram] = {}
        self._of_active: set[str] = set()
        self.gauge("build_info", "Which service of which node this is.", "service", "node").labels(
            service, node
        ).set(1)

    def counter(self, name: str, description: str, *labels: str) -> Counter:
        found: Counter = self._once(Counter, name, description, labels)
        return found

    def gauge(self, name: str, description: str, *labels: str) -> Gauge:
        found: Gauge = self._once(Gauge, name, description, labels)
        return found

    def active_gauge(self, name: str, description: str, *labels: str) -> Gauge:
        """One that only the active worker keeps: shown until ``stand_by``."""
        self._of_active.add(name)
        return self.gauge(name, description, *labels)

    def stand_by(self) -> None:
        """Forgets the gauges of the active worker: their last values would be shown, and ring,
        long after another process has taken over. Who becomes active again makes them anew."""
        for name in self._of_active:
            self.registry.unregister(self._known.pop(name))
        self._of_active.clear()

    def histogram(self, name: str, description: str, *labels: str) -> Histogram:
        """Of seconds; buckets from 1 ms to 30 s."""
        found: Histogram = self._once(Histogram, name, description, labels, buckets=SECONDS_BUCKETS)
        return found

    def render(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _once(
        self, kind: Any, name: str, description: str, labels: tuple[str, ...], **more: Any
    ) -> Any:
        known = self._known.get(name)
        if known is None:
            known = kind(f"jiexu_{name}", description, labels, registry=self.registry, **more)
            self._known[name] = known
        if not isinstance(known, kind):
            raise ValueError(f"metric {name} is of another kind")
        return known


def _whence(service: str, node: str) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        event["node"] = node
        return event

    return add


def _without_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces what looks personal, and exceptions by their type and place."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        event["error"] = describe(info)
    elif isinstance(info, tuple) and info[1] is not None:
        event["error"] = describe(info[1])
    event.pop("stack_info", None)
    for key, value in list(event.items()):
        if not key.startswith("_"):
            event[key] = REDACTED if key in _NAMED else redact(value)
    return event


def _short(filename: str) -> str:
    return "/".join(filename.rsplit("/", 3)[-3:])
