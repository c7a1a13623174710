"""What can be seen of a reader from outside? Counts by outcome, parked keys, readiness, lag."""

from __future__ import annotations

from typing import Final

from shared.telemetry import Metrics

# How a message may end.
OUTCOMES: Final = ("applied", "repeat", "parked", "dead-lettered", "refused", "fenced")


class ReaderMetrics:
    """The reader's metrics in the registry of its process; labels are topics and outcomes."""

    def __init__(self, metrics: Metrics) -> None:
        self._messages = metrics.counter(
            "reader_messages_total",
            "Messages by outcome: applied, repeat, parked, dead-lettered, refused (by a rule), "
            "fenced (another process has the partition).",
            "topic",
            "outcome",
        )
        self._seconds = metrics.histogram(
            "reader_batch_seconds", "From a batch's delivery to its commit.", "topic"
        )
        self._batch = metrics.gauge("reader_batch_messages", "Messages in the last batch.", "topic")
        self._parked = metrics.gauge("reader_parked_messages", "Messages that wait for a fact.")
        self._oldest = metrics.gauge(
            "reader_parked_oldest_seconds", "How long the oldest has waited."
        )
        self._lag = metrics.gauge("reader_lag_messages", "Messages not read yet.", "topic")
        self._ready = metrics.gauge("reader_ready", "1 while it reads; 0: not begun, or held up.")

    def begin(self, topic: str) -> None:
        """From 0, so that the first of an outcome is seen as a rise."""
        for outcome in OUTCOMES:
            self._messages.labels(topic, outcome)

    def passed(self, topic: str, outcome: str, count: int) -> None:
        if count:
            self._messages.labels(topic, outcome).inc(count)

    def took(self, topic: str, messages: int, seconds: float) -> None:
        self._batch.labels(topic).set(messages)
        self._seconds.labels(topic).observe(seconds)

    def parked(self, messages: int, seconds: float) -> None:
        self._parked.set(messages)
        self._oldest.set(seconds)

    def lag(self, topic: str, messages: int) -> None:
        self._lag.labels(topic).set(messages)

    def ready(self, ready: bool) -> None:
        self._ready.set(int(ready))
