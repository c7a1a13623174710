"""How does an event stand in a Kafka record? architecture.md 4."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.envelope import (
    MAX_DATA_DEPTH,
    MAX_VALUE_BYTES,
    Topic,
    decode,
    encode_headers,
    full_name,
    short_name,
    source,
)
from shared.messages import Message, Unreadable

TOPIC = "records.dossiers.v1"
EVENT = UUID("11111111-2222-5333-8444-555555555555")
AT = datetime(2027, 3, 1, 2, 0, 0, 125000, tzinfo=UTC)
VALUE = b'{"subject_id":"s1","minutes":90}'


def headers(**changes: Any) -> list[tuple[str, bytes]]:
    """A whole set of headers, some changed by their name without ``ce_``; None takes one away."""
    made = dict(
        encode_headers(
            source=source("500000", "records"),
            event_id=EVENT,
            type="records.entry-approved.v1",
            subject="s1",
            time=AT,
            sequence=7,
            correlation_id="c1",
            causation_id="x1",
            custody_epoch=2,
        )
    )
    for name, value in changes.items():
        header = "content-type" if name == "content_type" else f"ce_{name}"
        if value is None:
            del made[header]
        else:
            made[header] = value
    return list(made.items())


def test_what_was_written_is_read_back_whole() -> None:
    assert decode(TOPIC, b"s1", VALUE, headers()) == Message(
        topic=TOPIC,
        key="s1",
        sequence=7,
        event_id=EVENT,
        source="/nodes/500000/records",
        type="records.entry-approved.v1",
        time=AT,
        data={"subject_id": "s1", "minutes": 90},
        correlation_id="c1",
        causation_id="x1",
        custody_epoch=2,
    )


def test_the_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    assert dict(headers()) == {
        "ce_specversion": b"1.0",
        "ce_id": str(EVENT).encode(),
        "ce_source": b"/nodes/500000/records",
        "ce_type": b"records.entry-approved.v1",
        "ce_subject": b"s1",
        "ce_time": b"2027-03-01T02:00:00.125Z",
        "ce_sequence": b"7",
        "ce_correlationid": b"c1",
        "ce_causationid": b"x1",
        "ce_custodyepoch": b"2",
        "content-type": b"application/json",
    }


def test_the_sdk_of_cloudevents_reads_our_records() -> None:
    read = from_binary(KafkaMessage(dict(headers()), b"s1", VALUE), JSONFormat())
    assert read.get_id() == str(EVENT)
    assert read.get_source() == "/nodes/500000/records"
    assert read.get_type() == "records.entry-approved.v1"
    assert read.get_subject() == "s1"
    assert read.get_time() == AT
    assert read.get_extension("sequence") == "7"
    assert read.get_extension("custodyepoch") == "2"
    assert read.get_data() == {"subject_id": "s1", "minutes": 90}


def test_what_is_not_known_is_left_out() -> None:
    short = encode_headers(
        source="/nodes/500000/records", event_id=EVENT, type="t", subject="s1", time=AT, sequence=1
    )
    read = decode(TOPIC, b"s1", b"{}", short)
    assert (read.correlation_id, read.causation_id, read.custody_epoch) == (None, None, None)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"specversion": b"0.3"}, "ce_specversion is not 1.0"),
        ({"specversion": None}, "ce_specversion is missing"),
        ({"id": None}, "ce_id is missing"),
        ({"id": b"17"}, "ce_id is no UUID"),
        ({"type": b""}, "ce_type is missing"),
        ({"source": None}, "ce_source is missing"),
        ({"time": b"yesterday"}, "time is not of the form"),
        ({"sequence": None}, "ce_sequence is missing"),
        ({"sequence": b"0"}, "ce_sequence is no positive whole number"),
        ({"sequence": b"-1"}, "ce_sequence is no positive whole number"),
        ({"sequence": "７".encode()}, "ce_sequence is no positive whole number"),
        ({"sequence": b"9" * 19}, "ce_sequence is no positive whole number"),
        ({"custodyepoch": b"x"}, "ce_custodyepoch is no positive whole number"),
        ({"content_type": b"text/plain"}, "content-type is not application/json"),
        ({"type": b"\xff"}, "a header is not UTF-8"),
        ({"correlationid": b"a\0b"}, "a header holds U\\+0000"),
        ({"correlationid": b"x" * 1025}, "a header is longer than 1024 bytes"),
    ],
    ids=str,
)
def test_headers_that_are_wrong_are_unreadable(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        decode(TOPIC, b"s1", VALUE, headers(**changed))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (None, VALUE, "the key is missing"),
        (b"", VALUE, "the key is missing"),
        (b"\xff", VALUE, "the key is not UTF-8"),
        (b"a\0", VALUE, "the key holds U\\+0000"),
        (b"k" * 257, VALUE, "the key is longer than 256 bytes"),
        (b"s1", None, "the value is missing"),
        (b"s1", b"[]", "the value is no JSON object"),
        (b"s1", b"{", "bytes are not JSON"),
        (b"s1", b'{"a":1,"a":2}', "a member stands twice"),
        (b"s1", b'{"a":"\\u0000"}', "text holds U\\+0000"),
        (b"s1", b'{"a":' * 33 + b"1" + b"}" * 33, f"deeper than {MAX_DATA_DEPTH}"),
        (b"s1", b" " * (MAX_VALUE_BYTES + 1), f"longer than {MAX_VALUE_BYTES} bytes"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_keys_and_values_that_are_wrong_are_unreadable(
    key: bytes | None, value: bytes | None, said: str
) -> None:
    with pytest.raises(Unreadable, match=said):
        decode(TOPIC, key, value, headers())


def test_an_envelope_twice_over_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="a header stands twice"):
        decode(TOPIC, b"s1", VALUE, [*headers(), ("ce_id", b"x")])
    with pytest.raises(Unreadable, match="more than 32 headers"):
        decode(TOPIC, b"s1", VALUE, [*headers(), *((f"x{n}", b"") for n in range(32))])
    with pytest.raises(Unreadable, match="ce_specversion is missing"):
        decode(TOPIC, b"s1", VALUE, None)


def test_parameters_of_the_content_type_are_ignored() -> None:
    changed = headers(content_type=b"Application/JSON; charset=utf-8")
    assert decode(TOPIC, b"s1", VALUE, changed).sequence == 7


def test_an_outsider_needs_no_sequence_and_no_uuid_and_is_known_again() -> None:
    outside = headers(sequence=None, id=b"feed-17")
    first = decode("records.intake.v1", b"s1", VALUE, outside, sequenced=False)
    again = decode("records.intake.v1", b"s1", VALUE, outside, sequenced=False)
    other = headers(sequence=None, id=b"feed-17", source=b"/elsewhere")
    assert first.sequence is None
    assert first.event_id == again.event_id
    assert decode(TOPIC, b"s1", VALUE, other, sequenced=False).event_id != first.event_id


@given(
    st.one_of(st.none(), st.binary(max_size=20)),
    st.one_of(st.none(), st.binary(max_size=40)),
    st.lists(st.tuples(st.sampled_from([n for n, _ in headers()]), st.binary(max_size=12))),
)
def test_no_record_whatever_raises_anything_but_unreadable(
    key: bytes | None, value: bytes | None, some: list[tuple[str, bytes]]
) -> None:
    try:
        decode(TOPIC, key, value, some)
    except Unreadable as refused:
        assert str(refused)


def test_no_refusal_quotes_what_was_read() -> None:  # INV-15
    planted = "李华13800138000"
    for key, value, changed in (
        (b"s1", f'{{"a":"{planted}"'.encode(), {}),
        (f"{planted}\0".encode(), VALUE, {}),
        (b"s1", VALUE, {"id": planted.encode()}),
        (b"s1", VALUE, {"time": planted.encode()}),
        (b"s1", VALUE, {"sequence": planted.encode()}),
        (b"s1", json.dumps([planted]).encode(), {}),
    ):
        with pytest.raises(Unreadable) as refused:
            decode(TOPIC, key, value, headers(**changed))
        chain = [refused.value, refused.value.__cause__]
        assert not any("李华" in str(each) or "138" in str(each) for each in chain)


def test_topics_have_a_short_name_and_one_on_the_broker() -> None:
    topic = Topic(name=TOPIC, key="subject id", public=True, description="d")
    assert topic.on("500000") == full_name("500000", TOPIC) == "500000.records.dossiers.v1"
    assert short_name("500000", "500000.records.dossiers.v1") == TOPIC
    with pytest.raises(ValueError, match="not of node"):
        short_name("500000", "510100.records.dossiers.v1")
