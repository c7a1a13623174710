"""How do dossiers and their entries meet the ledger?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.records.contract.topics import DOSSIERS
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.decider import decide as decide_dossier
from services.records.domain.dossiers.evolve import evolve as evolve_dossier
from services.records.domain.dossiers.folding import City
from services.records.domain.dossiers.recording import claim_keys, natural_key
from services.records.domain.staging.state import Adopted, Staged
from services.records.edge import wire
from services.records.edge.needs import need_of
from services.records.edge.rows import dossier_json
from services.records.edge.saving import Saver
from services.records.edge.stagings import STAGING
from services.records.edge.window import Need
from shared.canonical import canonical, load
from shared.ledger import Cancel, Decided, Reach, Schedule, StreamKey, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection
from shared.signing import Signer

DOSSIER: Final = "dossier"
# Signatures wait here between ``prepare`` and ``save``: two batches in flight, 20,000 at most.
MAX_SIGNED: Final = 50_000

ENTRY_EVENTS: Final = (
    e.EntryRecorded,
    e.EntryShown,
    e.EntryApproved,
    e.EntryRejected,
    e.EntryCorrected,
    e.EntryRevoked,
    e.DisputeOpened,
    e.LateChangeHeld,
)


class DossierPart:
    """Dossiers and their entries; signs what is made here."""

    kind = DOSSIER
    commands: tuple[type[Command], ...] = (
        c.OpenDossier,
        c.RecordService,
        c.RecordTraining,
        c.RecordStar,
        c.ApproveEntry,
        c.RejectEntry,
        c.CorrectEntry,
        c.RevokeEntry,
        c.FreezeDossier,
        c.FinishFreeze,
        c.ThawDossier,
        c.DepartDossier,
        c.AdoptDossier,
        c.ReceiveSupplement,
        c.ApplyLateChange,
        c.ReleaseQuarantined,
    )
    events: tuple[type[Event], ...] = (
        *ENTRY_EVENTS,
        e.DossierOpened,
        e.FenceRaised,
        e.DossierFrozen,
        e.DossierThawed,
        e.DossierDeparted,
        e.DossierAdopted,
        e.EndingNoted,
        e.StagingMissing,
        e.SupplementTaken,
        e.SupplementApplied,
        e.EntryQuarantined,
        e.QuarantineEnded,
    )

    def __init__(self, city: City, entry_signer: Signer, head_signer: Signer) -> None:
        self._city = city
        self._entry_signer = entry_signer
        self._head_signer = head_signer
        self._signed: dict[str, str] = {}

    @property
    def city(self) -> City:
        return self._city

    @property
    def node(self) -> str:
        return self._city.node

    def sign_head(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A head as the home signs it, when asked for; its members in canonical order."""
        return self._head_signer.sign("jiexu-head-v1", load(canonical(body)))

    def reach(self, command: Any) -> Reach:
        subject: str = command.subject_id
        targets = [Target(DOSSIER, subject)]
        if isinstance(command, c.AdoptDossier):
            targets.append(Target(STAGING, command.staged_by))
        claims: tuple[str, ...] = ()
        if isinstance(command, c.RecordService | c.RecordTraining | c.RecordStar):
            claims, _ = claim_keys(command, natural_key(command))
        return Reach(tuple(targets), (StreamKey(DOSSIERS.name, subject),), claims)

    def need_of(self, command: Any) -> Mapping[str, Need]:
        return {command.subject_id: need_of(command)}

    def complete(
        self, needs: dict[str, Need], commands: Sequence[Command], states: Mapping[Target, Any]
    ) -> None:
        """An adoption is followed by what stands in the staged log: its window is read too.

        All entries only where the order was carried out before, be it in this very batch: it is
        answered again by what stands then.
        """
        for command in commands:
            if isinstance(command, c.AdoptDossier):
                view = states[Target(STAGING, command.staged_by)]
                need = needs[command.subject_id]
                if isinstance(view.row, Staged):
                    log_id = view.row.log.log_id
                    need.staged_whole |= log_id in need.staged
                    need.staged.add(log_id)
                need.whole |= isinstance(view.row, Adopted)

    def decide(self, states: tuple[Any, ...], command: Any) -> tuple[Event, ...] | Rejection:
        return decide_dossier(states[0], command, self._city, *states[1:])

    def belongs(self, event: Any) -> tuple[Target, ...]:
        own = Target(DOSSIER, event.subject_id)
        if isinstance(event, e.DossierAdopted) and not event.again:
            return (own, Target(STAGING, event.staged_by))
        return (own,)

    def evolve(self, state: Any, event: Event) -> Any:
        return evolve_dossier(state, event)

    def encode(self, state: Any) -> Mapping[str, Any]:
        return dossier_json(state.row)

    def outgoing(self, event: Any, decided: Decided) -> Outgoing:
        head = self.sign_head(event.head) if isinstance(event, e.DossierFrozen) else None
        return Outgoing(
            topic=DOSSIERS.name if wire.is_public(event) else None,
            key=event.subject_id,
            type=wire.name_of(event),
            data=wire.data_of(event, head),
            occurred_at=decided.command.at,
            custody_epoch=event.custody_epoch if wire.is_public(event) else None,
        )

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        wishes: list[Schedule | Cancel] = []
        for event in decided.events:
            match event:
                case e.FenceRaised():
                    data = {"transfer_id": event.transfer_id}
                    target = Target(DOSSIER, event.subject_id)
                    wishes.append(Schedule("reckon-freeze", target, data=data))
                case e.SupplementTaken():
                    wishes.append(
                        Schedule(
                            "apply-supplement",
                            Target(DOSSIER, event.subject_id),
                            data={
                                "transfer_id": event.transfer_id,
                                "sender": event.sender,
                                "incarnation": event.incarnation,
                                "k": event.k,
                                "digest": event.digest,
                                "path": event.path,
                            },
                        )
                    )
        return tuple(wishes)

    async def prepare(self, decided: Sequence[Decided]) -> None:
        """Signs the versions made by these commands, off the loop and with no connection held."""
        made = [
            event.version
            for one in decided
            for event in one.events
            if isinstance(event, e.EntryEvent) and event.made_here and event.signed is None
        ]
        if len(self._signed) > MAX_SIGNED:
            # What batches that were decided again left behind; they sign again.
            self._signed.clear()
        if made:
            self._signed.update(await asyncio.to_thread(lambda: dict(self._sign(made))))

    def _sign(self, versions: Sequence[Any]) -> Iterator[tuple[str, str]]:
        for version in versions:
            signed = self._entry_signer.sign_canonical("jiexu-entry-v1", dict(version.body))
            yield version.digest, signed.decode("utf-8")

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        await Saver(self._signed).save(connection, decided)
        for one in decided:
            for event in one.events:
                large = wire.large_cells(event)
                if large is not None:
                    await connection.execute(
                        "INSERT INTO object VALUES ($1, $2) ON CONFLICT DO NOTHING", *large
                    )
