"""What does a process tell about itself, and what does it keep to itself? INV-15."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared.messages import Unavailable
from shared.telemetry import ClientLines, Metrics, configure_logging, describe, redact


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The process's log, as it would stand on standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("records", "500000", "info", stream)
    try:
        yield stream
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


def told(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_that_says_whence_it_comes(lines: io.StringIO) -> None:
    structlog.get_logger("services.records").info("entry.approved", subject_id="s1", minutes=90)
    logging.getLogger("services.records").warning("lag is %d", 3)
    logging.getLogger("services.records").debug("unheard")
    first, second = told(lines)
    assert (
        first.items()
        >= {
            "event": "entry.approved",
            "level": "info",
            "service": "records",
            "node": "500000",
            "logger": "services.records",
            "subject_id": "s1",
            "minutes": 90,
        }.items()
    )
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["level"]) == ("lag is 3", "warning")


PLANTED = [
    "110101199003077774",
    "11010119900307777X",
    "110101900307777",
    "13800138000",
    "+86 138-0013-8000",
    "li.hua@example.com",
]


@pytest.mark.parametrize("value", PLANTED)
def test_what_looks_personal_is_taken_out_wherever_it_stands(
    lines: io.StringIO, value: str
) -> None:
    log = structlog.get_logger("services.registry")
    log.info(f"seen {value}", why=f"because {value} is", deep={"a": [value, {"b": value}]})
    logging.getLogger("faust").warning("key %s", value)
    if value.isdigit():
        log.info("as a number", count=int(value))
    text = lines.getvalue()
    assert len(told(lines)) >= 2
    assert value not in text
    assert value[-8:] not in text
    assert "[redacted]" in text


def test_members_that_name_a_persons_value_are_taken_out_whatever_it_is(
    lines: io.StringIO,
) -> None:
    log = structlog.get_logger("services.registry")
    log.info("x", name="李华", body=b"abc", deep={"token": "t", "Phone": "1"}, code="AAAA")
    assert "李华" not in lines.getvalue()
    line = told(lines)[0]
    assert [line[key] for key in ("name", "body", "code")] == ["[redacted]"] * 3
    assert line["deep"] == {"token": "[redacted]", "Phone": "[redacted]"}


@pytest.mark.parametrize(
    "value",
    [
        "5f0c1d3e-2f0b-4a53-9d2e-0b8f4c1f7a11",
        "91500000MA5U00000X",
        "500000.records.dossiers.v1",
        "2027-03-01T02:00:00Z",
        "01HZX3T9P5E8K2M4N6Q7R8S9T0",
        "f" * 64,
    ],
)
def test_ids_topics_and_times_stay(value: str) -> None:
    assert redact(value) == value


def test_an_error_is_told_by_type_and_place_not_by_its_text(lines: io.StringIO) -> None:
    try:
        raise ValueError("duplicate key (name)=(李华)")
    except ValueError as error:
        structlog.get_logger("services.registry").exception("it.failed")
        logging.getLogger("asyncio").error("task died", exc_info=error)
        described = describe(error)
    assert "李华" not in lines.getvalue() + described
    assert described.startswith("ValueError at ")
    assert "test_telemetry.py" in described
    for line in told(lines):
        assert line["error"].startswith("ValueError at ")
        assert "exception" not in line
    assert describe(Unavailable("the broker is away")) == "Unavailable: the broker is away"


def test_a_library_that_repeats_itself_is_held_back_and_counted() -> None:
    now = 0.0
    limit = ClientLines(lines_per_minute=3, now=lambda: now)

    def line(name: str) -> logging.LogRecord:
        return logging.LogRecord(name, logging.WARNING, "", 0, "broker %s", ("away",), None)

    taken = [limit.filter(line("aiokafka.conn")) for _ in range(10)]
    assert taken == [True] * 3 + [False] * 7
    assert all(limit.filter(line("services.records")) for _ in range(10))
    assert limit.filter(line("uvicorn"))
    now = 61.0
    again = line("aiokafka.conn")
    assert limit.filter(again)
    assert again.getMessage() == "broker away (7 lines of aiokafka were held back)"


def test_metrics_are_the_processs_own_and_made_once() -> None:
    one, other = Metrics("records", "500000"), Metrics("records", "500000")
    one.counter("jobs_done", "Jobs.", "kind").labels("offer").inc(2)
    one.counter("jobs_done", "Jobs.", "kind").labels("offer").inc()
    one.histogram("wait_seconds", "Waits.").observe(0.02)
    text, kind = one.render()
    assert b'jiexu_jobs_done_total{kind="offer"} 3.0' in text
    assert b'jiexu_wait_seconds_bucket{le="0.025"} 1.0' in text
    assert b"jobs_done" not in other.render()[0]
    assert kind.startswith("text/plain")
    with pytest.raises(ValueError, match="another kind"):
        one.gauge("jobs_done", "Jobs.")
