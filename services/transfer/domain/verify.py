"""Is this dossier whole, unaltered, and what its head says? Checks 8–13 of the destination.

One pass over the log: memory for the tree is O(log n), one row a leaf goes to a *scratch*, from
which totals and state digest are read back in their order. Pure: the same code judges an offer in
the destination's job, slice by slice, and an export offline.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from services.transfer.domain import certificates, forms
from services.transfer.domain.commands import Flaw
from services.transfer.domain.directory import Directory, VerifySignature
from services.transfer.domain.entry_form import Leaf, LeafIsWrong, is_entitled, judge_leaf
from services.transfer.domain.events import Totals
from services.transfer.domain.verify_offer import homes_of, judge_chain, judge_head
from services.transfer.domain.verify_sums import MemoryScratch, Scratch, state_digest, sums
from shared import merkle
from shared.canonical import NotCanonical, canonical, digest

SLICE: Final = 100
"""Leaves judged in one go in a thread, so that an event loop ticks in between."""
_chain: Final = forms.listing(certificates.custody, 0, certificates.MAX_CHAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found; ``flaw`` is None where the dossier is accepted.

    The figures are recomputed, never copied; they are those up to the flaw.
    """

    flaw: Flaw | None
    count: int
    kinds: Mapping[str, int]
    root: str
    totals: Totals | None = None
    state_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """A slice of leaves judged one by one, up to the first that is wrong."""

    leaves: tuple[Leaf, ...]
    flaw: Flaw | None


@dataclass
class Verification:
    """One pass over one log. ``examine`` may run in any thread; ``take`` in order, one at a time.

    ``head`` (genuine, of this subject) says what must come out; ``homes`` had custody. ``receipts``
    and ``heads`` are what this city or the volunteer holds of earlier states of the log.
    """

    head: Mapping[str, Any]
    homes: Collection[str]
    directory: Directory
    verify: VerifySignature
    scratch: Scratch
    receipts: Iterable[Mapping[str, Any]] = ()
    heads: Iterable[Mapping[str, Any]] = ()
    _count: int = 0
    _frontier: merkle.Frontier = ()
    _kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(certificates.KINDS, 0))
    _roots: dict[int, set[str]] = field(default_factory=dict)
    _leaves: dict[int, set[str]] = field(default_factory=dict)
    _signed: list[tuple[str, int]] = field(default_factory=list)
    _contradiction: str | None = None

    def __post_init__(self) -> None:
        for receipt in self.receipts:
            if self._counts_as_evidence(receipt):
                self._leaves.setdefault(receipt["index"], set()).add(receipt["entry_digest"])
                self._expect(receipt["head"]["body"])
        for head in self.heads:
            if self._is_own_head(head):
                self._expect(head["body"])
        self._signed.append((self.head["body"]["at"], self.head["body"]["count"]))
        self._compare_root()

    def examine(self, lines: Sequence[bytes]) -> Examined:
        """Check 8 on each line (a signed entry without its line feed), but for 411 and 412."""
        leaves: list[Leaf] = []
        for line in lines:
            try:
                leaves.append(
                    judge_leaf(
                        line,
                        subject_id=self.head["body"]["subject_id"],
                        directory=self.directory,
                        verify=self.verify,
                    )
                )
            except LeafIsWrong as wrong:
                flaw = Flaw(code=wrong.code, evidence_digest=wrong.evidence_digest)
                return Examined(tuple(leaves), flaw)
        return Examined(tuple(leaves), None)

    def take(self, examined: Examined) -> Flaw | None:
        """Adds a slice to tree, counts and scratch; the flaw of the first leaf that is wrong."""
        leaves = tuple(
            self._attested(leaf, self._count + position) if leaf.doubted_since else leaf
            for position, leaf in enumerate(examined.leaves)
        )
        foreign = next(
            (
                position
                for position, leaf in enumerate(leaves)
                if not is_entitled(leaf.kind, leaf.issuer, self.homes)
            ),
            None,
        )
        last = len(leaves) if foreign is None else foreign + 1
        repeated = self.scratch.add(leaves[:last])
        if repeated is not None:
            return Flaw(code="TR-411", evidence_digest=leaves[repeated].digest.hex())
        if foreign is not None:
            return Flaw(code="TR-412", evidence_digest=leaves[foreign].digest.hex())
        for leaf in leaves:
            self._append(leaf)
        return examined.flaw

    def bundle(self, plain: bytes, entries: int) -> Flaw | None:
        """Check 8 on the plain bytes of one bundle, in slices; ``entries`` is what M4 lists."""
        lines = 0
        for part in slices(plain):
            flaw = self.take(self.examine(part))
            if flaw is not None:
                return flaw
            lines += len(part)
        return judge_lines(plain, lines, entries)

    def conclude(self) -> Verdict:
        """Checks 9–13, when the last leaf is in; before them what check 8 left open."""
        doubted = next((leaf for leaf in self.scratch.standing() if leaf.doubted_since), None)
        if doubted is not None:
            return self.stopped(Flaw(code="TR-404", evidence_digest=doubted.digest.hex()))
        body = self.head["body"]
        root = merkle.root(self._frontier).hex()
        totals = sums(self.scratch)
        state = state_digest(self.scratch)
        longer = next((count for count in self._roots if count > self._count), None)
        if self._count != body["count"] or self._kinds != body["kinds"]:
            code = "TR-402"
        elif asdict(totals) != body["totals"]:
            code = "TR-409"
        elif root != body["root"]:
            code = "TR-403"
        elif state != body["state_digest"]:
            code = "TR-413"
        elif self._contradiction is not None or longer is not None:
            code = "TR-406"
        else:
            code = None
        flaw = None
        if code is not None:
            evidence = self._contradiction if code == "TR-406" else None
            flaw = Flaw(code=code, evidence_digest=evidence or digest(body))
        return Verdict(
            flaw=flaw,
            count=self._count,
            kinds=dict(self._kinds),
            root=root,
            totals=totals,
            state_digest=state,
        )

    def stopped(self, flaw: Flaw) -> Verdict:
        """The verdict of a pass that ended before the last leaf."""
        return Verdict(
            flaw=flaw,
            count=self._count,
            kinds=dict(self._kinds),
            root=merkle.root(self._frontier).hex(),
        )

    def _attested(self, leaf: Leaf, index: int) -> Leaf:
        """Without doubt where a head from before its key was lost covers it."""
        since = leaf.doubted_since or ""
        covered = any(at < since and index < count for at, count in self._signed)
        return replace(leaf, doubted_since=None) if covered else leaf

    def _append(self, leaf: Leaf) -> None:
        receipts = self._leaves.get(self._count)
        if receipts is not None and receipts != {leaf.digest.hex()}:
            self._contradiction = leaf.digest.hex()
        self._frontier = merkle.append(self._count, self._frontier, leaf.digest)
        self._count += 1
        self._kinds[leaf.kind] += 1
        self._compare_root()

    def _compare_root(self) -> None:
        expected = self._roots.get(self._count)
        if expected is not None:
            root = merkle.root(self._frontier).hex()
            if expected != {root}:
                self._contradiction = root

    def _expect(self, head: Mapping[str, Any]) -> None:
        self._roots.setdefault(head["count"], set()).add(head["root"])
        self._signed.append((head["at"], head["count"]))

    def _is_own_head(self, head: Mapping[str, Any]) -> bool:
        return (
            certificates.head(head, False) is None
            and head["body"]["subject_id"] == self.head["body"]["subject_id"]
            and certificates.is_genuine(head, self.directory, self.verify)
        )

    def _counts_as_evidence(self, receipt: Mapping[str, Any]) -> bool:
        # What does not prove anything by itself must not hold up a move.
        return (
            certificates.receipt(receipt, False) is None
            and self._is_own_head(receipt["head"])
            and merkle.inclusion_holds(
                bytes.fromhex(receipt["entry_digest"]),
                receipt["index"],
                receipt["head"]["body"]["count"],
                [bytes.fromhex(step) for step in receipt["inclusion_path"]],
                bytes.fromhex(receipt["head"]["body"]["root"]),
            )
        )


def slices(plain: bytes) -> Iterator[list[bytes]]:
    """The lines of a bundle, at most ``SLICE`` at a time; what follows the last line feed too."""
    part: list[bytes] = []
    start = 0
    while start < len(plain):
        end = plain.find(b"\n", start)
        end = len(plain) if end < 0 else end
        part.append(plain[start:end])
        start = end + 1
        if len(part) == SLICE:
            yield part
            part = []
    if part:
        yield part


def judge_lines(plain: bytes, lines: int, entries: int) -> Flaw | None:
    """A bundle's plain bytes end with a line feed and have as many lines as M4 lists."""
    evidence = sha256(plain).hexdigest()
    if plain[-1:] != b"\n":
        return Flaw(code="TR-401", evidence_digest=evidence)
    return None if lines == entries else Flaw(code="TR-402", evidence_digest=evidence)


def verify_export(
    entries: Iterable[Mapping[str, Any]],
    *,
    head: Mapping[str, Any],
    custody_chain: Sequence[Mapping[str, Any]],
    directory: Directory,
    verify: VerifySignature,
    scratch: Scratch | None = None,
    receipts: Iterable[Mapping[str, Any]] = (),
) -> Verdict:
    """The destination's verdict on an export, by anyone who has the directory; needs no node.

    Head, chain, leaves and sums, as ``GET /exports/{subject_id}`` gives them. An object that is
    not even of its form is TR-401.
    """
    nothing = Verdict(flaw=Flaw(code="TR-401"), count=0, kinds={}, root=certificates.EMPTY_ROOT)
    if certificates.head(head, False) is not None or _chain(custody_chain, False) is not None:
        return nothing
    try:
        canonical([head, *custody_chain])
    except NotCanonical:
        return nothing

    def genuine(signed: Mapping[str, Any]) -> bool:
        return certificates.is_genuine(signed, directory, verify)

    body = head["body"]
    verification = Verification(
        head=head,
        homes=homes_of(custody_chain),
        directory=directory,
        verify=verify,
        scratch=scratch if scratch is not None else MemoryScratch(),
        receipts=receipts,
    )
    about: dict[str, Any] = {
        "subject_id": body["subject_id"],
        "epoch": body["epoch"],
        "home": body["home"],
        "genuine": genuine,
    }
    flaw = judge_head(head, **about) or judge_chain(custody_chain, **about)
    if flaw is not None:
        return verification.stopped(flaw)
    part: list[bytes] = []
    for entry in entries:
        try:
            part.append(canonical(entry))
        except NotCanonical:
            # No line of a bundle could hold it: judged as a line that is none.
            part.append(b"")
        if len(part) == SLICE:
            flaw = verification.take(verification.examine(part))
            if flaw is not None:
                return verification.stopped(flaw)
            part = []
    flaw = verification.take(verification.examine(part))
    return verification.stopped(flaw) if flaw is not None else verification.conclude()
