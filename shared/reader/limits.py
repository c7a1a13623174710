"""How much may a reader take, try, wait for and pile up? Every number has its unit and reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of a reader; the defaults are those of the design."""

    # One transaction: large enough to spare round trips, small enough to bisect and to redo.
    batch_messages: int = 500
    # Bulk and replay: a key's messages come in rounds, and its row is read and written once a
    # batch. Four times as many were no faster and held 100 MB more.
    # Bounded by size too, for a hundred large events are as much as thousands of small.
    bulk_messages: int = 1_000
    bulk_bytes: int = 8 * 1024 * 1024
    # 0.1 + 0.2 + 0.4 + 0.8 s: long enough for a hiccup, short for the partition behind it.
    tries: int = 5
    first_pause_seconds: float = 0.1
    # While a neighbour, the broker or the database is away: asked again at most this rarely.
    outage_pause_seconds: float = 1.0
    # Transactions that others overtook; each round reads afresh, so more means a mistake of ours.
    overtakings: int = 20
    # Then the reader stops and says so: a neighbour's fact is missing, or a neighbour is broken.
    parked_rows: int = 10_000
    parked_alarm_seconds: float = 600.0
    # Since the process started; then the reader stops: somebody feeds it garbage.
    dead_letters: int = 10_000
    # One round of draining, between two batches of live traffic.
    drain_keys: int = 50
    drain_rows: int = 500
    tick_seconds: float = 0.5
    # How often the broker is asked for its topics and the ends of their logs (lag, topics that
    # are provisioned after we started, and whether it is there).
    look_seconds: float = 5.0
    # So long may a client deliver nothing, though there is more and nothing hinders it.
    stall_seconds: float = 30.0
    # A killed member's partitions move after it; the group is told of us three times meanwhile.
    session_timeout_seconds: float = 10.0
    heartbeat_seconds: float = 2.0
    # What a batch in flight gets at SIGTERM; then it is cut off and delivered again.
    close_seconds: float = 0.5
    # What one commit of a group's offsets may take; without a broker it would never end.
    commit_seconds: float = 2.0
