"""With which problem is another city's input answered? The closed list of docs/protocol.md, 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

URN: Final = "urn:jiexu:problem:"


@dataclass(frozen=True, slots=True)
class Answer:
    """One problem: its check, status, and whether the sender tries the same bytes again."""

    check: int
    name: str
    status: int
    title: str
    again: bool = False


_ANSWERS: Final = (
    Answer(1, "too-many-requests", 429, "Too many requests", again=True),
    Answer(2, "unavailable", 503, "Not available now", again=True),
    Answer(3, "too-large", 413, "Larger than allowed here"),
    Answer(4, "unsupported-media", 415, "Not application/json, or encoded"),
    Answer(5, "too-deep", 400, "Nested deeper than 16"),
    Answer(6, "not-json", 400, "Not UTF-8, not JSON, or a member twice"),
    Answer(7, "not-canonical", 400, "Not the canonical bytes"),
    Answer(8, "invalid-field", 422, "A member is wrong"),
    Answer(9, "unsupported-version", 422, "Unknown protocol version"),
    Answer(10, "wrong-audience", 403, "Addressed to another city"),
    Answer(11, "unknown-key", 403, "Key not listed, not valid, or not for this"),
    Answer(12, "peer-suspended", 403, "Sender suspended or retired"),
    Answer(13, "bad-signature", 403, "Signature does not hold"),
    Answer(14, "stale-incarnation", 409, "Incarnation below the barrier"),
    Answer(15, "unknown-type", 422, "Type unknown at this endpoint"),
    Answer(16, "invalid-field", 422, "A member is wrong"),
    Answer(18, "conflict", 409, "Same message id, other content"),
    Answer(19, "clock-skew", 403, "Issued in the future", again=True),
    Answer(20, "expired", 410, "Expired"),
    Answer(21, "unknown-transfer", 404, "No such transfer"),
    Answer(22, "not-found", 404, "Not found"),
    Answer(23, "directory-stale", 503, "Directory expired here", again=True),
    Answer(24, "internal", 500, "Internal error", again=True),
)
ANSWERS: Final[Mapping[int, Answer]] = {answer.check: answer for answer in _ANSWERS}
RETRIED_NAMES: Final = frozenset(answer.name for answer in _ANSWERS if answer.again)


class Refused(Exception):
    """A check that failed. ``field`` names a member, never its value.

    ``instance`` stands in the answer and in the log; ``retry_after`` in seconds goes with 429 and
    503, always.
    """

    def __init__(
        self, check: int, field: str | None = None, *, retry_after: int | None = None
    ) -> None:
        answer = ANSWERS[check]
        super().__init__(answer.name)
        self.answer = answer
        self.field = field
        self.instance = uuid4().urn
        self.retry_after = retry_after
        if answer.status in (429, 503) and retry_after is None:
            self.retry_after = 1

    @property
    def code(self) -> str | None:
        """The refusal code, where the problem has one."""
        return "TR-302" if self.answer.name == "conflict" else None

    def body(self) -> bytes:
        """``application/problem+json``; nothing of the input is in it."""
        return json.dumps(
            {
                "type": URN + self.answer.name,
                "title": self.answer.title,
                "status": self.answer.status,
                "code": self.code,
                "field": self.field,
                "instance": self.instance,
            }
        ).encode("utf-8")

    def headers(self) -> dict[str, str]:
        """``Retry-After``, where it belongs."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
