"""The tail: every event once, each key in its order, topics that come later from their start."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from node.demo.subscriber import Subscriber
from node.events import Filter, Seen, Tail

pytestmark = pytest.mark.broker
START = datetime(2027, 3, 1, tzinfo=UTC)


def make_topic(bootstrap: str, name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(name, 3, 1)])
    admin.wait_for_topics([name])
    admin.close()


def publish(bootstrap: str, topic: str, keys: int, each: int) -> None:
    """``each`` events of each key, their times running *against* their sequence."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for sequence in range(1, each + 1):
        for key in range(keys):
            at = START - timedelta(seconds=sequence)
            producer.send(topic, key=f"k{key}".encode(), value=json.dumps(
                {"n": sequence}).encode(), headers=[
                    ("ce_type", b"records.entry-approved.v1"), ("ce_source", b"/nodes/x/records"),
                    ("ce_time", at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
                    ("ce_sequence", b"%d" % sequence), ("ce_custodyepoch", b"1")])
    producer.flush()
    producer.close()


def listen(tail: Tail, count: int, seconds: float = 60) -> list[Seen]:
    heard: list[Seen] = []
    deadline = time.monotonic() + seconds
    while len(heard) < count:
        assert time.monotonic() < deadline, f"heard {len(heard)} of {count}"
        heard += tail.poll()
    return heard


def test_each_key_comes_in_the_order_of_its_sequence_whatever_the_times_say(
        kafka_bootstrap: str, node_name: str) -> None:
    topic = f"{node_name}.records.dossiers.v1"
    make_topic(kafka_bootstrap, topic)
    publish(kafka_bootstrap, topic, keys=9, each=40)
    tail = Tail(node_name, kafka_bootstrap, from_beginning=True)
    heard = listen(tail, 9 * 40)
    tail.close()
    for key in range(9):
        assert [seen.sequence for seen in heard if seen.key == f"k{key}"] == list(range(1, 41))
    assert {(seen.topic, seen.node, seen.epoch) for seen in heard} == {
        ("records.dossiers.v1", node_name, 1)}


def test_a_topic_made_while_we_listen_is_heard_from_its_first_event(
        kafka_bootstrap: str, node_name: str) -> None:
    make_topic(kafka_bootstrap, f"{node_name}.records.dossiers.v1")
    tail = Tail(node_name, kafka_bootstrap)
    make_topic(kafka_bootstrap, f"{node_name}.records.later.v1")
    publish(kafka_bootstrap, f"{node_name}.records.later.v1", keys=1, each=3)
    heard = listen(tail, 3)
    tail.close()
    assert [seen.sequence for seen in heard] == [1, 2, 3]


def seen(**changes: object) -> Seen:
    values = {"node": "500000", "topic": "records.dossiers.v1", "partition": 0, "offset": 0,
              "key": "s1", "type": "records.entry-approved.v1", "source": "/nodes/500000/records",
              "time": "2027-03-01T02:00:00Z", "sequence": 1, "epoch": 1, "data": {}}
    return Seen(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("wanted", "takes"), [
    (Filter(), True), (Filter(type="approved"), True), (Filter(type="rejected"), False),
    (Filter(subject="s1"), True), (Filter(subject="s2"), False),
    (Filter(service="records"), True), (Filter(service="rewards"), False)])
def test_a_filter_takes_what_it_names(wanted: Filter, takes: bool) -> None:
    assert wanted.takes(seen()) is takes


def moved(sequence: int, before: int, after: int, **more: object) -> Seen:
    return seen(sequence=sequence, data={"subject_id": "s1", "moved": [
        {"cell": {"year": 2027}, "before": before, "after": after}]}, **more)


def test_a_subscriber_sums_what_moved_and_skips_repeats() -> None:
    stranger = Subscriber()
    for event in (moved(1, 0, 120), moved(2, 120, 90), moved(2, 120, 90), moved(1, 0, 120)):
        stranger.take(event)
    assert (stranger.minutes("s1"), stranger.passed_over) == (90, 2)


def test_adoption_replaces_the_table_and_an_older_epoch_is_dropped() -> None:  # R44
    stranger = Subscriber()
    stranger.take(moved(1, 0, 120))
    stranger.take(seen(node="510100", sequence=2, epoch=2, type="records.dossier-adopted.v1",
                       data={"subject_id": "s1", "cells": [
                           {"cell": {"year": 2027}, "minutes": 110}]}))
    stranger.take(moved(2, 120, 240))  # what the former home still says
    assert (stranger.minutes("s1"), stranger.epoch("s1")) == (110, 2)
