"""What can be seen of a reader from outside? Counts by outcome, parked keys, readiness, lag."""

from __future__ import annotations

from shared.telemetry import Metrics


class ReaderMetrics:
    """The reader's metrics in the registry of its process; labels are topics and outcomes."""

    def __init__(self, metrics: Metrics) -> None:
        self._messages = metrics.counter(
            "reader_messages_total", "Messages by how they ended.", "topic", "outcome"
        )
        self._seconds = metrics.histogram(
            "reader_batch_seconds", "From a batch's delivery to its commit.", "topic"
        )
        self._batch = metrics.gauge("reader_batch_messages", "Size of the last batch.", "topic")
        self._parked = metrics.gauge("reader_parked_messages", "Messages that wait.")
        self._oldest = metrics.gauge("reader_parked_oldest_seconds", "How long the oldest waits.")
        self._lag = metrics.gauge("reader_lag_messages", "Messages not read yet.", "topic")
        self._ready = metrics.gauge("reader_ready", "1 when all first sources have been read.")

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


