"""What may a command touch? Known before anything is read: aggregates, and streams it may write."""

from __future__ import annotations

from services.registry.contract.topics import CHECKS, ORGANISATIONS, POLICIES, VOLUNTEERS
from services.registry.domain.applicants import commands as ac
from services.registry.domain.codes import commands as cc
from services.registry.domain.logins import commands as lc
from services.registry.domain.organisations import commands as oc
from services.registry.domain.policies import commands as pc
from services.registry.domain.volunteers import commands as vc
from shared.ledger import StreamKey, Target
from shared.messages import Command

Targets = tuple[Target, ...]


def volunteer(subject_id: str) -> Target:
    return Target("volunteer", subject_id)


def applicant(applicant_ref: str) -> Target:
    return Target("applicant", applicant_ref)


def document(digest: str) -> Target:
    return Target("document", digest)


def login(login_id: str) -> Target:
    return Target("login", login_id)


def organisation(organisation_id: str) -> Target:
    return Target("organisation", organisation_id)


def code(code_id: str) -> Target:
    return Target("code", code_id)


def check(transfer_id: str) -> Target:
    return Target("check", transfer_id)


def transfer(transfer_id: str) -> Target:
    return Target("transfer", transfer_id)


def policy(policy_id: str) -> Target:
    return Target("policy", policy_id)


def targets_of(command: Command) -> Targets:
    match command:
        case vc.RegisterVolunteer():
            return (
                volunteer(command.subject_id),
                *map(document, command.asked.digests),
                *((login(command.login_id),) if command.login_id is not None else ()),
                *(
                    (organisation(command.organisation_id),)
                    if command.organisation_id is not None
                    else ()
                ),
            )
        case vc.ClaimRegistration():
            return (volunteer(command.subject_id), login(command.login_id))
        case vc.IssueTransferCode():
            previous = command.previous_code_id
            return (
                volunteer(command.subject_id),
                code(command.code_id),
                *((code(previous),) if previous is not None else ()),
            )
        case vc.PlaceHold():
            held = command.code_id
            return (
                volunteer(command.subject_id),
                *((code(held),) if held is not None else ()),
            )
        case vc.LinkSubject():
            return (
                volunteer(command.subject_id),
                applicant(command.applicant_ref),
                transfer(command.transfer_id),
            )
        case vc.RecordVerification() | vc.GiveConsent() | vc.WithdrawConsent() | vc.MarkDeparted():
            return (volunteer(command.subject_id),)
        case ac.RegisterApplicant():
            return (
                applicant(command.applicant_ref),
                *map(document, command.asked.digests),
                login(command.login_id),
            )
        case ac.ProveIdentity():
            return (applicant(command.applicant_ref), *map(document, command.documents))
        case ac.NoteTransfer():
            ref = command.applicant_ref
            ours = ref is not None and command.role == "destination"
            seen = transfer(command.transfer_id)
            return (seen, applicant(ref)) if ours and ref is not None else (seen,)
        case ac.VerifyApplicant() | ac.EndApplication() | ac.DropCode() | ac.ForgetApplicant():
            return (applicant(command.applicant_ref),)
        case oc.RegisterOrganisation():
            return (organisation(command.organisation_id), Target("uscc", command.uscc_key))
        case oc.FileOrganisation():
            key = oc.filing_key(command.filing)
            return (organisation(command.organisation_id), Target("filing", key))
        case oc.SanctionOrganisation():
            return (organisation(command.organisation_id),)
        case pc.ProposePolicy() | pc.PublishPolicy():
            return (policy(command.document.policy_id),)
        case pc.ConfirmPolicy():
            return (policy(command.policy_id),)
        case cc.CheckIdentity():
            shown = command.code_id
            seen = check(command.transfer_id)
            return (seen,) if shown is None else (seen, code(shown))
        case cc.EndCheck():
            return (check(command.transfer_id),)
        case cc.SettleCode():
            return (code(command.code_id),)
        case lc.ExchangeToken() | lc.MoveLogin():
            return (login(command.login_id),)
        case lc.ReviseDocument():
            return (document(command.document_digest),)
    raise TypeError(f"registry knows no command {type(command).__name__}")


def streams_of(command: Command) -> tuple[StreamKey, ...]:
    match command:
        case (
            vc.RegisterVolunteer()
            | vc.ClaimRegistration()
            | vc.RecordVerification()
            | vc.GiveConsent()
            | vc.WithdrawConsent()
            | vc.MarkDeparted()
            | vc.LinkSubject()
        ):
            return (StreamKey(VOLUNTEERS.name, command.subject_id),)
        case oc.RegisterOrganisation() | oc.FileOrganisation() | oc.SanctionOrganisation():
            return (StreamKey(ORGANISATIONS.name, command.organisation_id),)
        case pc.ConfirmPolicy():
            return (StreamKey(POLICIES.name, command.policy_id),)
        case pc.PublishPolicy():
            return (StreamKey(POLICIES.name, command.document.policy_id),)
        case cc.CheckIdentity():
            return (StreamKey(CHECKS.name, command.transfer_id),)
    return ()
