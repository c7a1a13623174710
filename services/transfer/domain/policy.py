"""What does a neighbour's fact make this service do next?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.transfer.domain import commands, facts, office_commands
from services.transfer.domain.events import Hold, Role
from shared.ids import fact_command_id
from shared.messages import Actor, Command

PAIR_POLICY = "transfer_pair"


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a command comes from: the event, and when this service judges it.

    ``at`` is the present, not the event's time: timers that a fact starts run from when it was
    read, or a city that was away for an hour would abort what it then finds waiting.
    """

    event_id: UUID
    at: datetime
    actor: Actor

    def meta(self, kind: str, target: str, correlation: str | None) -> dict[str, Any]:
        """What every command carries; its id derives from the event."""
        return {
            "command_id": fact_command_id(self.event_id, kind, target),
            "actor": self.actor,
            "at": self.at,
            "causation_id": str(self.event_id),
            "correlation_id": correlation,
        }

    def move(
        self, kind: str, transfer_id: str, role: Role, subject_id: str | None
    ) -> dict[str, Any]:
        """For a command on a move."""
        return {
            **self.meta(kind, f"{role}:{transfer_id}", transfer_id),
            "transfer_id": transfer_id,
            "role": role,
            "subject_id": subject_id,
        }


def react(fact: object, origin: Origin) -> tuple[Command, ...]:
    """The commands of one fact; none for what does not concern moves."""
    match fact:
        case facts.IdentityConfirmed():
            return (
                commands.ConfirmIdentity(
                    **origin.move("confirm", fact.transfer_id, "origin", fact.subject_id),
                    holds=tuple(
                        Hold(authority=hold.authority, until=hold.until) for hold in fact.holds
                    ),
                ),
            )
        case facts.IdentityDenied():
            return (
                commands.DenyIdentity(
                    **origin.move("deny", fact.transfer_id, "origin", None), code=fact.code
                ),
            )
        case facts.PolicyPublished():
            return _policy(fact, origin)
        case facts.VolunteerDied():
            return (
                office_commands.CloseSubject(
                    **origin.meta("close", fact.subject_id, None),
                    subject_id=fact.subject_id,
                    cause="died",
                ),
            )
        case facts.VolunteerSuspended():
            return (
                office_commands.CloseSubject(
                    **origin.meta("suspend", fact.subject_id, None),
                    subject_id=fact.subject_id,
                    cause="suspended",
                    authority=fact.authority,
                    until=fact.until,
                ),
            )
    return _of_records(fact, origin)


def _policy(fact: facts.PolicyPublished, origin: Origin) -> tuple[Command, ...]:
    if fact.kind != PAIR_POLICY:
        return ()
    return (
        office_commands.NotePolicy(
            **origin.meta("policy", f"{fact.policy_id}:{fact.version}", None),
            policy_id=fact.policy_id,
            version=fact.version,
            kind=fact.kind,
            jurisdiction=fact.jurisdiction,
            effective_from=fact.effective_from,
            content=fact.content,
        ),
    )


def _of_records(fact: object, origin: Origin) -> tuple[Command, ...]:
    match fact:
        case facts.DossierFrozen():
            return (
                commands.NoteFrozen(
                    **origin.move("frozen", fact.transfer_id, "origin", fact.subject_id),
                    epoch=fact.epoch,
                    log_id=fact.log_id,
                    head=fact.head,
                ),
            )
        case facts.LateChangeHeld():
            return (
                commands.FetchLateChange(
                    **origin.move("late", fact.transfer_id, "origin", fact.subject_id),
                    issuer=fact.issuer,
                    entry_id=fact.entry_id,
                    version=fact.version,
                    digest=fact.digest,
                    path=fact.path,
                ),
            )
        case facts.DossierStaged():
            return (
                commands.NoteStaged(
                    **origin.move("staged", fact.transfer_id, "destination", fact.subject_id),
                    state_digest=fact.state_digest,
                    count=fact.count,
                ),
            )
        case facts.StagingFailed():
            return (
                commands.NoteStagingFailed(
                    **origin.move("failed", fact.transfer_id, "destination", fact.subject_id),
                    code=fact.code,
                ),
            )
        case facts.DossierAdopted():
            return (
                commands.NoteAdopted(
                    **origin.move("adopted", fact.transfer_id, "destination", fact.subject_id),
                    new_epoch=fact.new_epoch,
                    state_digest=fact.state_digest,
                    totals=fact.totals,
                ),
            )
        case facts.SupplementApplied():
            return _applied(fact, origin)
    return ()


def _applied(fact: facts.SupplementApplied, origin: Origin) -> tuple[Command, ...]:
    """The fact does not say which side we are; the side that has no such move is silent."""
    roles: tuple[Role, Role] = ("origin", "destination")
    return tuple(
        commands.NoteSupplementApplied(
            **origin.move("applied", fact.transfer_id, role, fact.subject_id),
            sender=fact.sender,
            incarnation=fact.incarnation,
            k=fact.k,
            new=fact.new,
            duplicates=fact.duplicates,
            quarantined=fact.quarantined,
            first_quarantined=asdict(fact.first_quarantined) if fact.first_quarantined else None,
        )
        for role in roles
    )
