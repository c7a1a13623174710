"""Is this leaf an entry version as its issuer signed it? Check 8 of the destination, but 411.

One leaf is one line: the canonical bytes of a signed entry. What is opaque in it is kept and
forwarded: only its size, its nesting and the few members that sums rest on are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from services.transfer.domain import forms
from services.transfer.domain.certificates import ENTRY_DOMAIN, KINDS, body_bytes
from services.transfer.domain.directory import Directory, VerifySignature
from shared.canonical import canonical, depth, load_canonical
from shared.messages import Unreadable

STATES: Final = ("pending", "publicised", "approved", "rejected", "disputed", "revoked")
HOME_KINDS: Final = frozenset({"star", "consumption", "adjustment"})
"""Kinds that only a city which is or was home may issue."""
MAX_BODY_BYTES: Final = 8192
MAX_DETAIL_BYTES: Final = 6144
MAX_DETAIL_DEPTH: Final = 8
MAX_BODY_DEPTH: Final = 9
MAX_LEGACY_MINUTES: Final = 600_000
MAX_DAY_MINUTES: Final = 1440
_PREFIX: Final = ENTRY_DOMAIN.encode("ascii") + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What the sums, the tree and the state digest need of one entry version.

    ``started`` and ``ended`` are seconds since 1970, both None where the interval is unknown.
    ``digest`` is that of the body, 32 bytes. ``doubted_since`` is the instant from which on its
    key was in other hands: such a leaf counts under a head from before, or under a later version
    that another key signed.
    """

    issuer: str
    entry_id: str
    version: int
    kind: str
    state: str
    minutes: int
    counted: int
    started: int | None
    ended: int | None
    digest: bytes
    doubted_since: str | None = None

    @property
    def state_line(self) -> bytes:
        """Its line of the state digest."""
        return (
            f"{self.issuer} {self.entry_id} {self.version} {self.state} {self.kind} "
            f"{self.counted} {self.digest.hex()}\n"
        ).encode("ascii")


class LeafIsWrong(Exception):
    """A leaf that fails check 8: the code, and the digest of the bytes that were judged."""

    def __init__(self, code: str, what: str, judged: bytes) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.evidence_digest = sha256(judged).hexdigest()


_entry: Final = forms.shape(
    {
        "v": forms.one_of("entry/1"),
        "kind": forms.one_of(*KINDS),
        "issuer": forms.city,
        "subject_id": forms.hex16,
        "entry_id": forms.where(lambda value: type(value) is str and _is_entry_id(value)),
        "version": forms.integer(1, 9999),
        "state": forms.one_of(*STATES),
        "minutes": forms.signed_minutes,
        "counted_minutes": forms.signed_minutes,
        "occurred_on": forms.date,
        "recorded_at": forms.time,
        "reason": forms.maybe(forms.text(200)),
        "detail": forms.anything,
        "salt": forms.hex16,
    }
)
_signed_entry: Final = forms.signed(forms.anything)


def judge_leaf(
    line: bytes,
    *,
    subject_id: str,
    directory: Directory,
    verify: VerifySignature,
) -> Leaf:
    """The leaf of one line without its line feed; raises ``LeafIsWrong``.

    Order of the codes: 401, 404, 410. What follows, 411 and 412, and a leaf in doubt, needs the
    rest of the log and the chain: see ``verify`` and ``is_entitled``.
    """
    signed, judged = _read(line)
    body = signed["body"]
    _judge_form(body, judged)
    key = directory.key(body["issuer"], signed["kid"], "entry", body["recorded_at"])
    if body["subject_id"] != subject_id:
        raise LeafIsWrong("TR-404", "subject", judged)
    # Exactly: a city named `amber-x` must not share ids with `amber`.
    if body["entry_id"][:-27] != body["issuer"]:
        raise LeafIsWrong("TR-404", "entry_id", judged)
    if key is None:
        raise LeafIsWrong("TR-404", "key", judged)
    if not verify(key.public, _PREFIX + judged, bytes.fromhex(signed["sig"])):
        raise LeafIsWrong("TR-404", "signature", judged)
    if not minutes_are_in_bounds(body):
        raise LeafIsWrong("TR-410", "minutes", judged)
    started, ended = _interval(body)
    return Leaf(
        issuer=body["issuer"],
        entry_id=body["entry_id"],
        version=body["version"],
        kind=body["kind"],
        state=body["state"],
        minutes=body["minutes"],
        counted=body["counted_minutes"],
        started=started,
        ended=ended,
        digest=sha256(judged).digest(),
        doubted_since=key.compromised_since,
    )


def is_entitled(kind: str, issuer: str, homes: Collection[str]) -> bool:
    """Whether this city may issue this kind; ``homes`` had custody, the present one included."""
    return kind not in HOME_KINDS or issuer in homes


def minutes_are_in_bounds(body: Mapping[str, Any]) -> bool:
    """Bounds of minutes and of what counts, by kind and state; nothing is ever rounded."""
    minutes, counted = body["minutes"], body["counted_minutes"]
    least, most = _bounds(body)
    if not least <= minutes <= most:
        return False
    match body["state"]:
        case "approved":
            return bool(counted == minutes)
        case "pending" if body["version"] > 1:
            # What a correction awaits: the figure approved before goes on counting.
            return counted == 0 or bool(least <= counted <= most)
    return bool(counted == 0)


def _bounds(body: Mapping[str, Any]) -> tuple[int, int]:
    match body["kind"]:
        case "service" | "training":
            legacy = body["detail"].get("evidence_class") == "legacy"
            return 1, MAX_LEGACY_MINUTES if legacy else MAX_DAY_MINUTES
        case "consumption":
            return 0, MAX_LEGACY_MINUTES
        case "adjustment":
            return -MAX_LEGACY_MINUTES, -1
    return 0, 0


def _read(line: bytes) -> tuple[Mapping[str, Any], bytes]:
    try:
        signed = load_canonical(line)
    except Unreadable as unreadable:
        raise LeafIsWrong("TR-401", str(unreadable), line) from None
    wrong = _signed_entry(signed, True)
    if wrong is not None:
        raise LeafIsWrong("TR-401", wrong or "entry", line)
    return signed, body_bytes(line, signed["kid"])


def _judge_form(body: Mapping[str, Any], judged: bytes) -> None:
    wrong = _entry(body, False)
    if wrong is not None:
        raise LeafIsWrong("TR-401", wrong or "body", judged)
    if len(judged) > MAX_BODY_BYTES:
        raise LeafIsWrong("TR-401", "size of the body", judged)
    if len(judged) > MAX_DETAIL_BYTES and len(canonical(body["detail"])) > MAX_DETAIL_BYTES:
        raise LeafIsWrong("TR-401", "size of the detail", judged)
    if judged.count(b"{") + judged.count(b"[") > MAX_DETAIL_DEPTH and (
        depth(judged) > MAX_BODY_DEPTH or depth(canonical(body["detail"])) > MAX_DETAIL_DEPTH
    ):
        raise LeafIsWrong("TR-401", "nesting", judged)
    if body["version"] > 1 and body["reason"] is None:
        raise LeafIsWrong("TR-401", "reason", judged)


def _interval(body: Mapping[str, Any]) -> tuple[int | None, int | None]:
    if body["kind"] != "service":
        return None, None
    inner = body["detail"].get("body")
    if type(inner) is not dict:
        return None, None
    started, ended = inner.get("started_at"), inner.get("ended_at")
    if not (forms.is_time(started) and forms.is_time(ended)):
        return None, None
    first, last = _seconds(str(started)), _seconds(str(ended))
    return (first, last) if first < last else (None, None)


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def _is_entry_id(value: str) -> bool:
    issuer, _, ulid = value.rpartition("-")
    return forms.CITY.fullmatch(issuer) is not None and forms.ULID.fullmatch(ulid) is not None
