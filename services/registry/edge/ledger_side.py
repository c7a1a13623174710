"""What does the ledger ask of registry? Which aggregates a command reaches, who decides, who folds.

The deciders are pure; ``store`` holds the SQL and ``vault`` the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.registry.contract.types import LEFT_OUT, NAMES, topic_of
from services.registry.domain.applicants import commands as ac
from services.registry.domain.applicants import decider as applicants
from services.registry.domain.applicants import events as ae
from services.registry.domain.applicants import fold as applicant_fold
from services.registry.domain.codes import commands as cc
from services.registry.domain.codes import decider as codes
from services.registry.domain.codes import events as ce
from services.registry.domain.logins import commands as lc
from services.registry.domain.logins import decider as logins
from services.registry.domain.logins import events as le
from services.registry.domain.organisations import commands as oc
from services.registry.domain.organisations import decider as organisations
from services.registry.domain.organisations import events as oe
from services.registry.domain.policies import commands as pc
from services.registry.domain.policies import decider as policies
from services.registry.domain.policies import events as pe
from services.registry.domain.volunteers import commands as vc
from services.registry.domain.volunteers import decider as volunteers
from services.registry.domain.volunteers import events as ve
from services.registry.domain.volunteers import fold, permissions
from services.registry.edge import shapes
from services.registry.edge.reach import (
    applicant,
    check,
    code,
    document,
    login,
    organisation,
    policy,
    streams_of,
    targets_of,
    transfer,
    volunteer,
)
from services.registry.edge.schedule import jobs_of
from services.registry.edge.store import Store
from shared.ledger import Cancel, Decided, Reach, Schedule, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection


class RegistryDomain:
    """This service's side of the ledger; see ``shared.ledger.Domain``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reach(self, command: Command) -> Reach:
        return Reach(targets=targets_of(command), streams=streams_of(command))

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        states = {target: shapes.state_of(target.kind, row) for target, row in rows.items()}
        return await self._store.window(connection, commands, states)

    def decide(self, states: tuple[Any, ...], command: Command) -> tuple[Event, ...] | Rejection:
        return decide(states, command)

    def belongs(self, event: Event) -> tuple[Target, ...]:
        return belongs(event)

    def evolve(self, target: Target, state: Any, event: Event) -> Any:
        return evolve(target, state, event)

    def encode(self, target: Target, state: Any) -> Mapping[str, Any]:
        return shapes.row_of(target.kind, state)

    def outgoing(self, event: Event, decided: Decided) -> Outgoing:
        shape = type(event)
        return Outgoing(
            topic=topic_of(shape),
            key=_key(event),
            type=NAMES[shape],
            data=shapes.wire(event, LEFT_OUT.get(shape, frozenset())),
            occurred_at=decided.command.at,
        )

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        return jobs_of(decided)

    async def prepare(self, decided: Sequence[Decided]) -> None:
        self._store.seal(decided)

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        await self._store.save(connection, decided)


def decide(states: tuple[Any, ...], command: Command) -> tuple[Event, ...] | Rejection:
    """The states come in the order of ``targets_of``."""
    match command:
        case vc.RegisterVolunteer():
            n = 1 + len(command.asked.digests)
            rest = list(states[n:])
            bound = rest.pop(0) if command.login_id is not None else None
            body = rest.pop(0) if command.organisation_id is not None else None
            return volunteers.register(states[0], states[1:n], bound, body, command)
        case vc.ClaimRegistration():
            return volunteers.claim(states[0], states[1], command)
        case vc.RecordVerification():
            return volunteers.record_verification(states[0], command)
        case vc.GiveConsent():
            return permissions.give_consent(states[0], command)
        case vc.WithdrawConsent():
            return permissions.withdraw_consent(states[0], command)
        case vc.IssueTransferCode():
            return permissions.issue_code(states[0], command)
        case vc.PlaceHold():
            return permissions.place_hold(states[0], command)
        case vc.MarkDeparted():
            return volunteers.mark_departed(states[0], command)
        case vc.LinkSubject():
            return volunteers.link(states[0], states[1], states[2], command)
        case ac.RegisterApplicant():
            n = 1 + len(command.asked.digests)
            return applicants.register(states[0], states[1:n], states[n], command)
        case ac.VerifyApplicant():
            return applicants.verify(states[0], command)
        case ac.ProveIdentity():
            return applicants.prove(states[0], states[1:], command)
        case ac.NoteTransfer():
            return applicants.note(states[0], states[1] if len(states) > 1 else None, command)
        case ac.EndApplication():
            return applicants.end(states[0], command)
        case ac.DropCode():
            return applicants.drop_code(states[0], command)
        case ac.ForgetApplicant():
            return applicants.forget(states[0], command)
        case oc.RegisterOrganisation():
            return organisations.register(states[0], states[1], command)
        case oc.FileOrganisation():
            return organisations.file(states[0], states[1], command)
        case oc.SanctionOrganisation():
            return organisations.sanction(states[0], command)
        case pc.ProposePolicy():
            return policies.propose(states[0], command)
        case pc.ConfirmPolicy():
            return policies.confirm(states[0], command)
        case pc.PublishPolicy():
            return policies.publish(states[0], command)
        case cc.CheckIdentity():
            return codes.check(states[0], states[1] if len(states) > 1 else None, command)
        case cc.EndCheck():
            return codes.end(states[0], command)
        case cc.SettleCode():
            return codes.settle(states[0], command)
        case lc.ExchangeToken():
            return logins.exchange(command)
        case lc.MoveLogin():
            return logins.move_login(states[0], command)
        case lc.ReviseDocument():
            return logins.revise_document(states[0], command)
    raise TypeError(f"registry knows no command {type(command).__name__}")


def belongs(event: Event) -> tuple[Target, ...]:
    """The aggregates that fold this event."""
    match event:
        case ve.SubjectLinked():
            return (volunteer(event.subject_id), applicant(event.applicant_ref))
        case ve.TransferCodeIssued():
            return (volunteer(event.subject_id), code(event.code_id))
        case ve.HoldPlaced():
            mine = volunteer(event.subject_id)
            return (mine,) if event.code_id is None else (mine, code(event.code_id))
        case (
            ve.VolunteerRegistered()
            | ve.ProfileKept()
            | ve.VerificationRecorded()
            | ve.RegistrationClaimed()
            | ve.ConsentGiven()
            | ve.ConsentWithdrawn()
            | ve.SubjectDeparted()
        ):
            return (volunteer(event.subject_id),)
        case ae.TransferStatusNoted():
            return (transfer(event.transfer_id),)
        case (
            ae.ApplicantRegistered()
            | ae.ApplicantVerified()
            | ae.CodeKept()
            | ae.CodeDropped()
            | ae.ApplicationResumed()
            | ae.ApplicationEnded()
            | ae.ApplicantForgotten()
        ):
            return (applicant(event.applicant_ref),)
        case oe.OrganisationRegistered():
            return (organisation(event.organisation_id), Target("uscc", event.uscc))
        case oe.OrganisationFiled():
            key = oc.filing_key(event.filing)
            return (organisation(event.organisation_id), Target("filing", key))
        case oe.OrganisationSanctioned():
            return (organisation(event.organisation_id),)
        case pe.PolicyProposed() | pe.PolicyPublished():
            return (policy(event.policy_id),)
        case ce.CodeTried(outcome="matched"):
            return (code(event.code_id), check(event.transfer_id))
        case ce.CodeTried() | ce.CodeCancelled() | ce.CodeSettled():
            return (code(event.code_id),)
        case ce.IdentityConfirmed() | ce.IdentityDenied() | ce.CheckEnded():
            return (check(event.transfer_id),)
        case le.LoginBound() | le.TokenIssued() | le.ClaimFailed():
            return (login(event.login_id),)
        case le.DocumentTaken() | le.DocumentFreed():
            return (document(event.document_digest),)
    raise TypeError(f"{type(event).__name__} belongs to nobody")


def evolve(target: Target, state: Any, event: Any) -> Any:
    """The state of this aggregate with the event folded in."""
    match target.kind:
        case "volunteer":
            return fold.evolve(state, event)
        case "applicant":
            return applicant_fold.evolve(state, event)
        case "transfer":
            return applicant_fold.evolve_transfer(state, event)
        case "organisation":
            return organisations.evolve(state, event)
        case "uscc" | "filing":
            return organisations.evolve_taken(state, event)
        case "policy":
            return policies.evolve(state, event)
        case "code":
            return codes.evolve_code(state, event)
        case "check":
            return codes.evolve_check(state, event)
        case "login":
            return logins.evolve_login(state, event)
        case "document":
            return logins.evolve_document(state, event)
    raise TypeError(f"registry keeps no {target.kind}")


def _key(event: Event) -> str:
    """The key of the event's row: of a document that of its person, never the digest."""
    match event:
        case le.DocumentTaken():
            return event.owner.ref
        case le.DocumentFreed():
            return event.applicant_ref
        case ce.IdentityConfirmed() | ce.IdentityDenied():
            return event.transfer_id
        # On the topic of volunteers the key is the subject, for the applicant's link too.
        case ve.SubjectLinked():
            return event.subject_id
    return belongs(event)[0].id
