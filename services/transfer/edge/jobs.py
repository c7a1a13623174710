"""What does this service do outside a transaction, and with which command does it come back?

Every handler looks at the move as it is now: a job of a state that was left brings nothing. What
it brings back is judged by the tables like any other input.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.transfer.domain import commands, envelopes, state, timers
from services.transfer.domain.destination_guards import BUNDLE_TRIES, LAPSE
from services.transfer.domain.events import Hold, Role
from services.transfer.edge import sealing
from services.transfer.edge.building import NotReadable, TooLarge, build
from services.transfer.edge.directory import DirectoryFile
from services.transfer.edge.fetching import BundleIsBad, Fetcher, TimeIsUp, Wanted
from services.transfer.edge.inbox import ACTOR
from services.transfer.edge.keys import Wrapping
from services.transfer.edge.questions import NotAnswered, Questions
from services.transfer.edge.records import Records
from services.transfer.edge.registry import Registry, Unproved
from services.transfer.edge.store import Address, Moves, StoredBundles, StoredJournal, StoredNode
from services.transfer.edge.verification import verify_bundles
from shared.canonical import canonical
from shared.clock import Clock
from shared.ids import job_command_id
from shared.jobs import Job, JobHandler
from shared.messages import Command, Unavailable

# A question that a repeated timer asks anew anyway is given up after this many tries.
ASK_TRIES = 10
_ASKED_AGAIN = frozenset({"InDoubt", "Requested"})


@dataclass(frozen=True, kw_only=True)
class Works:
    """What the handlers work with."""

    clock: Clock
    moves: Moves
    bundles: StoredBundles
    wrapping: Wrapping
    directory: DirectoryFile
    records: Records
    registry: Registry
    fetcher: Fetcher
    questions: Questions
    journal: StoredJournal
    node: StoredNode
    city: str


class Handlers:
    """One handler a kind of job; ``of`` gives them by kind."""

    def __init__(self, works: Works) -> None:
        self._w = works

    def of(self) -> Mapping[str, JobHandler]:
        """By the kind that ``deciding`` schedules."""
        fired: dict[str, JobHandler] = {f"timer-{timer.name}": self.fire for timer in timers.TIMERS}
        return {
            **fired,
            "build-offer": self.build_offer,
            "fetch-bundles": self.fetch_bundles,
            "verify-dossier": self.verify_dossier,
            "ask-peer": self.ask_peer,
            "fetch-late-change": self.fetch_late_change,
            "apply-again": self.apply_again,
            "stop-transfer": self.stop_transfer,
        }

    async def fire(self, job: Job) -> Sequence[Command]:
        """A timer of section 12 is due."""
        address = await self._address(job)
        if address is None:
            return ()
        timer = job.data["timer"]
        receipted = True
        if timer == "offer":
            receipted = await self._w.moves.offer_was_receipted(address.transfer_id)
        return (
            commands.FireTimer(
                **self._meta(job, address),
                timer=timer,
                n=job.data["n"],
                m4_receipted=receipted,
            ),
        )

    async def build_offer(self, job: Job) -> Sequence[Command]:
        """O9, O10: the frozen dossier, sealed and listed."""
        address, found = await self._state(job)
        if address is None or not isinstance(found, state.Frozen):
            return ()
        transfer_id = address.transfer_id
        fresh = self._w.wrapping.fresh_seal(transfer_id)
        public, wrapped = await self._w.bundles.keep_seal(transfer_id, *fresh)
        private = self._w.wrapping.unwrap(transfer_id, wrapped)
        key = sealing.shared_key(private, found.course.request.seal_key, transfer_id)
        chain = await self._w.moves.chain(found.subject.subject_id)
        directory = self._w.directory.current()
        try:
            built = await build(
                found,
                records=self._w.records,
                bundles=self._w.bundles,
                key=key,
                chain=chain,
                directory=directory,
            )
        except TooLarge:
            return (commands.ReportLimits(**self._meta(job, address)),)
        except NotReadable as broken:
            return (commands.ReportUnreadable(**self._meta(job, address), reason=str(broken)),)
        return (
            commands.OfferDossier(
                **self._meta(job, address),
                bundles=tuple(built.bundles),
                chain=tuple(chain),
                seal_key=public,
                directory_serial=directory.serial,
                pending=tuple(sorted(built.pending)),
            ),
        )

    async def fetch_bundles(self, job: Job) -> Sequence[Command]:
        """D7, D7a, D8: the sealed bytes, each checked by digest and tag, kept as rows."""
        address, found = await self._state(job)
        if address is None or not isinstance(found, state.Receiving):
            return ()
        offer = found.offer
        key = await self._key(address.transfer_id, offer.seal_key)
        if key is None:
            return ()
        held = await self._w.bundles.held(address.transfer_id)
        listed = {bundle["n"]: bundle for bundle in offer.bundles}
        wanted = [
            Wanted(n, bundle["bytes"], bundle["digest"])
            for n, bundle in listed.items()
            if held.get(n) != bundle["digest"]
        ]

        async def take(one: Wanted, sealed: bytes) -> None:
            try:
                sealing.unseal(key, address.transfer_id, one.n, sealed)
            except sealing.SealIsBroken:
                raise BundleIsBad(one.n, one.digest) from None
            await self._w.bundles.keep(
                address.transfer_id,
                one.n,
                entries=listed[one.n]["entries"],
                digest=one.digest,
                sealed=sealed,
            )

        standing = await self._w.node.standing()
        try:
            await self._w.fetcher.fetch_all(
                address.peer,
                address.transfer_id,
                wanted,
                incarnation=standing.incarnation,
                until=offer.expires_at - LAPSE,
                take=take,
            )
        except BundleIsBad as bad:
            return [
                commands.TakeBundle(
                    **self._meta(job, address, None if n == BUNDLE_TRIES - 1 else n),
                    n=bad.n,
                    good=False,
                    evidence_digest=bad.evidence_digest,
                )
                for n in range(found.bad.get(bad.n, 0), BUNDLE_TRIES)
            ]
        except TimeIsUp:
            # Timer lapse, which is about to fire, ends it (D12).
            return ()
        missing = sorted(set(listed) - found.arrived)
        return [
            commands.TakeBundle(
                **self._meta(job, address, None if n == missing[-1] else n), n=n, good=True
            )
            for n in missing
        ]

    async def verify_dossier(self, job: Job) -> Sequence[Command]:
        """D9, D10: checks 8–13, one pass over the bundles."""
        address, found = await self._state(job)
        if address is None or not isinstance(found, state.Verifying):
            return ()
        transfer_id, offer = address.transfer_id, found.offer
        key = await self._key(transfer_id, offer.seal_key)
        if key is None:
            return ()
        digests: list[str] = []

        async def plain() -> AsyncIterator[tuple[bytes, int]]:
            for bundle in offer.bundles:
                sealed = await self._w.bundles.sealed(transfer_id, bundle["n"])
                if sealed is None:
                    raise Unavailable("a bundle is not here any more")
                opened = sealing.unseal(key, transfer_id, bundle["n"], sealed)
                digests.append(hashlib.sha256(opened).hexdigest())
                yield opened, bundle["entries"]

        chain = await self._w.moves.documents([link.digest for link in offer.chain])
        verdict = await verify_bundles(
            plain(), head=offer.head, custody_chain=chain, directory=self._w.directory.current()
        )
        if verdict.flaw is not None:
            return (commands.FailCheck(**self._meta(job, address), flaw=verdict.flaw),)
        assert verdict.totals is not None and verdict.state_digest is not None
        body = canonical(digests)
        list_digest = hashlib.sha256(body).hexdigest()
        await self._w.bundles.note_plain(transfer_id, digests, list_digest, body)
        return (
            commands.PassChecks(
                **self._meta(job, address),
                root=verdict.root,
                count=verdict.count,
                totals={
                    name: getattr(verdict.totals, name) for name in offer.head["body"]["totals"]
                },
                state_digest=verdict.state_digest,
                list_digest=list_digest,
            ),
        )

    async def ask_peer(self, job: Job) -> Sequence[Command]:
        """M10: how does it stand with you?"""
        address, found = await self._state(job)
        if address is None:
            return ()
        if job.attempts > ASK_TRIES and found.status in _ASKED_AGAIN:
            return ()
        standing = await self._w.node.standing()
        content = {
            "known_state": found.status,
            "last_seq_seen": found.course.wire.last_seq_seen,
            "applied": found.course.inflow.applied,
            "reconcile": None,
        }
        try:
            answered = await self._w.questions.ask(
                address.peer, address.transfer_id, content, standing.incarnation
            )
        except NotAnswered as no:
            about = {"peer": address.peer, "problem": no.problem}
            await self._w.journal.alarm("question-not-answered", address.transfer_id, about)
            return ()
        return (
            commands.TakeStatusReply(
                **self._meta(job, address),
                envelope=answered.envelope,
                genuine=answered.genuine,
            ),
        )

    async def fetch_late_change(self, job: Job) -> Sequence[Command]:
        """O11a, O20, O20a: the signed bytes of what records announced."""
        address = await self._address(job)
        if address is None:
            return ()
        entry = await self._w.records.entry(job.data["path"], job.data["digest"])
        return (
            commands.ForwardLateChange(
                **self._meta(job, address), entry=entry, digest=job.data["digest"]
            ),
        )

    async def apply_again(self, job: Job) -> Sequence[Command]:
        """D1 by timer retry: a new nonce, the same code, as long as registry still proves it."""
        _, before = await self._state(job)
        if before is None:
            return ()
        request = before.course.request
        origin, applicant_ref = before.course.origin, request.applicant_ref
        # The same job makes the same attempt, however often it must be run.
        nonce = hashlib.sha256(b"jiexu-retry-nonce" + job.id.bytes).hexdigest()[:32]
        transfer_id = envelopes.transfer_id(origin, self._w.city, "move", applicant_ref, nonce)
        try:
            proof = await self._w.registry.prove(
                applicant_ref,
                None,
                transfer_id=transfer_id,
                origin=origin,
                destination=self._w.city,
                actor_id=None,
            )
        except Unproved as no:
            about = {"problem": no.slug, "attempt": job.data["attempt"]}
            await self._w.journal.alarm("not-tried-again", before.course.transfer_id, about)
            return ()
        public, wrapped = self._w.wrapping.fresh_seal(transfer_id)
        return (
            commands.ApplyForTransfer(
                command_id=job.id,
                actor=ACTOR,
                at=self._w.clock.now(),
                causation_id=str(job.id),
                correlation_id=transfer_id,
                transfer_id=transfer_id,
                role="destination",
                origin=origin,
                destination=self._w.city,
                applicant_ref=applicant_ref,
                nonce=nonce,
                code_id=proof.code_id,
                proof=proof.proof,
                consent=request.consent or {},
                seal_key=public,
                wrapped_seal=wrapped,
                attempt=job.data["attempt"],
                first_applied_at=datetime.fromisoformat(job.data["first_applied_at"]),
                reviewed_seconds=job.data["reviewed_seconds"],
            ),
        )

    async def stop_transfer(self, job: Job) -> Sequence[Command]:
        """O16: registry closed the subject while a move was open."""
        address = await self._address(job)
        if address is None:
            return ()
        if job.data["cause"] == "died":
            return (commands.NoteDeath(**self._meta(job, address)),)
        hold = Hold(
            authority=job.data["authority"] or "registry",
            until=datetime.fromisoformat(job.data["until"]).date(),
        )
        return (commands.NoteSuspension(**self._meta(job, address), hold=hold),)

    # -- what they share --------------------------------------------------------------------------

    async def _address(self, job: Job) -> Address | None:
        return await self._w.moves.at(job.data["transfer_id"], job.data["role"])

    async def _state(self, job: Job) -> tuple[Address | None, Any]:
        address = await self._address(job)
        role: Role = job.data["role"]
        return address, await self._w.moves.state(job.data["transfer_id"], role)

    async def _key(self, transfer_id: str, theirs: str) -> bytes | None:
        """The bundle key, as long as our private half has not been destroyed."""
        wrapped = await self._w.bundles.seal_of(transfer_id)
        if wrapped is None:
            return None
        private = self._w.wrapping.unwrap(transfer_id, wrapped)
        return sealing.shared_key(private, theirs, transfer_id)

    def _meta(self, job: Job, address: Address, n: int | None = None) -> dict[str, Any]:
        """What a command of this job carries; ``n`` numbers those before the last."""
        return {
            "command_id": job.id if n is None else job_command_id(job.id, n),
            "actor": ACTOR,
            "at": self._w.clock.now(),
            "causation_id": str(job.id),
            "correlation_id": address.transfer_id,
            "transfer_id": address.transfer_id,
            "role": address.role,
            "subject_id": address.subject_id,
        }
