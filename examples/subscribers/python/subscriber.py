"""How many minutes has each volunteer served, over several cities? By the rule of docs/sums.md.

    python subscriber.py --city 500000=127.0.0.1:9092 --city 510100=127.0.0.1:9192 \
        --state sums.sqlite --until-end

Sums, sequences and offsets stand in one SQLite file and change in one transaction: whenever this
is killed, it goes on as if it had not been.

How brokers let us in stands in the environment: KAFKA_SECURITY, KAFKA_USERNAME,
KAFKA_PASSWORD_FILE, KAFKA_CA; what is one city's alone with its code, KAFKA_CA_510100.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

TOPIC = "records.dossiers.v1"
ADOPTED = "records.dossier-adopted.v1"
SECURITY = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
BATCH, POLL_SECONDS, ANSWER_SECONDS = 500, 0.5, 10.0

TABLES = """
CREATE TABLE IF NOT EXISTS offset (
    topic TEXT, part INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, part));
CREATE TABLE IF NOT EXISTS sequence (
    topic TEXT, key TEXT, last INTEGER NOT NULL, PRIMARY KEY (topic, key));
CREATE TABLE IF NOT EXISTS subject (
    subject_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, minutes INTEGER NOT NULL);
"""


class Unreadable(Exception):
    """An event that is not what the contract says. To skip it would be a silent loss."""


class Missed(Exception):
    """An event of a key that comes before this one has not been read."""


class Misconfigured(Exception):
    """A variable of the environment that is missing or wrong."""


class Sums:
    """Minutes per subject, and how far each key of each city has been read."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(TABLES)
        self.counts: Counter[str] = Counter()

    def take(self, messages: Iterable[Message]) -> None:
        """Events in the order of their partitions, all or none."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for message in messages:
                try:
                    self._take(message)
                except (KeyError, ValueError, TypeError) as fault:
                    where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
                    raise Unreadable(f"{where}: {fault!r}") from fault
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise

    def _take(self, message: Message) -> None:
        self._database.execute(
            "REPLACE INTO offset VALUES (?, ?, ?)",
            (message.topic(), message.partition(), message.offset() + 1),
        )
        headers = {name: value.decode() for name, value in message.headers() or ()}
        subject, sequence = message.key().decode(), int(headers["ce_sequence"])

        # 1. Pass repeats: events come at least once, and count once.
        last = self._one(
            "SELECT last FROM sequence WHERE (topic, key) = (?, ?)", message.topic(), subject
        )
        before = last[0] if last is not None else 0
        if sequence <= before:
            self.counts["repeats"] += 1
            return
        # A key's numbers begin at 1 and have no gaps.
        if sequence > before + 1:
            where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
            raise Missed(f"{where}: sequence {sequence} follows {before}, something was missed")
        self._database.execute(
            "REPLACE INTO sequence VALUES (?, ?, ?)", (message.topic(), subject, sequence)
        )

        # 2. Pass older homes: this city no longer held the dossier when it said so.
        highest, minutes = self._one(
            "SELECT epoch, minutes FROM subject WHERE subject_id = ?", subject
        ) or (0, 0)
        epoch = int(headers.get("ce_custodyepoch", highest))
        if epoch < highest:
            self.counts["older_homes"] += 1
            return

        data = json.loads(message.value())
        if headers["ce_type"] == ADOPTED:
            # 3. An adoption replaces what there was.
            minutes = data["totals"]["credited_minutes"]
        else:
            # 4. Everything else adds what it moved; types that move nothing change nothing.
            minutes += sum(
                moved["after"] - moved["before"]
                for moved in data.get("moved", ())
                if moved["cell"] is not None
            )
        self._database.execute("REPLACE INTO subject VALUES (?, ?, ?)", (subject, epoch, minutes))
        self.counts["taken"] += 1

    def forget(self) -> None:
        """Everything, at once: it is read again from the start."""
        self._database.executescript(
            "BEGIN; DELETE FROM offset; DELETE FROM sequence; DELETE FROM subject; COMMIT;"
        )
        self.counts.clear()

    def next_offset(self, topic: str, part: int) -> int | None:
        """Where to go on; None: at the beginning."""
        found = self._one("SELECT next FROM offset WHERE (topic, part) = (?, ?)", topic, part)
        return found[0] if found else None

    def report(self) -> str:
        """The totals, and what this run saw, as one line of JSON."""
        totals = dict(self._database.execute("SELECT subject_id, minutes FROM subject ORDER BY 1"))
        seen = {name: self.counts[name] for name in ("taken", "repeats", "older_homes")}
        return json.dumps({"totals": totals, **seen})

    def _one(self, query: str, *values: object) -> tuple[int, ...] | None:
        return self._database.execute(query, values).fetchone()


def access(code: str) -> dict[str, str]:
    """How this city's brokers are spoken to; in plain, unless the environment says otherwise."""

    def told(name: str, default: str | None = None) -> str:
        value = os.environ.get(f"{name}_{code}") or os.environ.get(name) or default
        if value is None:
            raise Misconfigured(f"{name} is missing for city {code}")
        return value

    security = told("KAFKA_SECURITY", "PLAINTEXT")
    if security not in SECURITY:
        raise Misconfigured(f"KAFKA_SECURITY is none of {', '.join(SECURITY)}")
    options = {"security.protocol": security}
    if security.endswith("SSL") and (ca := told("KAFKA_CA", "")):  # without: the system's
        options["ssl.ca.location"] = ca
    if security.startswith("SASL_"):
        options["sasl.mechanism"] = "SCRAM-SHA-512"
        # A principal is let into groups of its own name.
        options["sasl.username"] = options["group.id"] = told("KAFKA_USERNAME")
        options["sasl.password"] = Path(told("KAFKA_PASSWORD_FILE")).read_text("utf-8").strip()
    return options


class City:
    """The dossiers of one city, from where we stopped."""

    def __init__(self, code: str, bootstrap: str, sums: Sums, *, replay: bool) -> None:
        topic = f"{code}.{TOPIC}"
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                # Nothing is kept in a group: offsets stand with the sums.
                "group.id": "jiexu-subscriber",
                **access(code),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        found = self._consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        for part in found.partitions:
            low, end = self._consumer.get_watermark_offsets(
                TopicPartition(topic, part), timeout=ANSWER_SECONDS
            )
            stored = sums.next_offset(topic, part) or 0
            if stored < low:
                raise Unreadable(
                    f"{topic}[{part}] begins at {low}, we have read to {stored}: what stood "
                    "between was cut, the totals cannot be known"
                )
            # Beyond the end: the topic was made anew. Sequences pass what we have counted.
            self._next[part] = low if replay or stored > end else stored
            self._ends[part] = end
        self._consumer.assign(
            [TopicPartition(topic, part, offset) for part, offset in self._next.items()]
        )

    def read(self) -> list[Message]:
        """What is there now; waits half a second at most."""
        messages = self._consumer.consume(BATCH, timeout=POLL_SECONDS)
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
            self._next[message.partition()] = message.offset() + 1
        return messages

    def at_end(self) -> bool:
        """Whether all is read that was there when we began."""
        return all(self._next[part] >= end for part, end in self._ends.items())

    def close(self) -> None:
        self._consumer.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument(
        "--city",
        action="append",
        required=True,
        type=_city,
        metavar="CODE=HOST:PORT",
        help="a city and its brokers; repeat it",
    )
    arguments.add_argument("--state", required=True, metavar="FILE", help="made when missing")
    arguments.add_argument("--until-end", action="store_true", help="print the totals and stop")
    arguments.add_argument("--replay", action="store_true", help="read everything again")
    asked = arguments.parse_args()
    sums = Sums(asked.state)
    cities = [City(code, at, sums, replay=asked.replay) for code, at in asked.city]
    news, again = True, False
    while not ((caught_up := all(city.at_end() for city in cities)) and asked.until_end):
        again = again and not caught_up
        came = [message for city in cities for message in city.read()]
        try:
            sums.take(came)
        except Missed as missed:
            if again:
                raise Unreadable(
                    f"{missed} in the log itself: the totals cannot be known"
                ) from None
            print(f"subscriber: {missed}: reading again from the start", file=sys.stderr)
            sums.forget()
            for city in cities:
                city.close()
            cities = [City(code, at, sums, replay=False) for code, at in asked.city]
            again = True
        if news and not came and not asked.until_end:
            print(sums.report(), flush=True)
        news = bool(came)
    print(sums.report())


def _city(text: str) -> tuple[str, str]:
    code, equals, bootstrap = text.partition("=")
    if not (code and equals and bootstrap):
        raise argparse.ArgumentTypeError(f"{text!r} is not CODE=HOST:PORT")
    return code, bootstrap


if __name__ == "__main__":
    try:
        main()
    except (KafkaException, Unreadable, Misconfigured, OSError, sqlite3.Error) as fault:
        sys.exit(f"subscriber: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
