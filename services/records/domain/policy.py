"""What does a fact of a neighbour make this service do? Pure; a replay gives the same commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.records.domain import facts as f
from services.records.domain import keeping
from services.records.domain.dossiers import commands as c
from services.records.domain.knowledge import Organisation, PolicyVersion, Sanction
from services.records.domain.staging import commands as s
from shared.ids import fact_command_id
from shared.messages import Actor, Command


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The event that a fact came in; ``salt`` makes the salt of an entry from a command's id."""

    actor: Actor
    event_id: UUID
    at: datetime
    correlation_id: str | None
    salt: Callable[[UUID], str]

    def meta(self, kind: str, target: str) -> dict[str, Any]:
        return {
            "command_id": fact_command_id(self.event_id, kind, target),
            "actor": self.actor,
            "at": self.at,
            "causation_id": str(self.event_id),
            "correlation_id": self.correlation_id,
        }


def react(fact: Any, origin: Origin) -> tuple[Command, ...]:
    match fact:
        case f.VolunteerRegistered():
            return (
                c.OpenDossier(
                    **origin.meta("open-dossier", fact.subject_id),
                    subject_id=fact.subject_id,
                    first_registered_on=fact.first_registered_on,
                ),
            )
        case f.OrganisationTold():
            organisation = Organisation(**_members(fact))
            meta = origin.meta("keep-organisation", fact.organisation_id)
            return (keeping.KeepOrganisation(**meta, organisation=organisation),)
        case f.OrganisationSanctioned():
            return (_sanction(fact, origin),)
        case f.PolicyPublished() if fact.kind in keeping.KINDS_KEPT:
            meta = origin.meta("keep-policy", f"{fact.policy_id}/{fact.version}")
            return (keeping.KeepPolicy(**meta, policy=PolicyVersion(**_members(fact))),)
        case f.StarDecided():
            return (_star(fact, origin),)
        case f.RewardsFrozen():
            return (
                c.FreezeDossier(
                    **origin.meta("freeze-dossier", fact.subject_id),
                    subject_id=fact.subject_id,
                    transfer_id=fact.transfer_id,
                    epoch=fact.epoch,
                ),
            )
        case f.TransferEnded():
            return _ended(fact, origin)
        case f.DossierReleased():
            meta = origin.meta("depart-dossier", fact.subject_id)
            return (c.DepartDossier(**meta, **_members(fact)),)
        case f.DossierVerified():
            meta = origin.meta("stage-dossier", fact.transfer_id)
            return (s.StageDossier(**meta, **_members(fact)),)
        case f.ReleaseReceived():
            meta = origin.meta("adopt-dossier", fact.subject_id)
            return (c.AdoptDossier(**meta, **_members(fact)),)
        case f.SupplementReceived():
            meta = origin.meta("receive-supplement", fact.subject_id)
            return (c.ReceiveSupplement(**meta, **_members(fact)),)
        case _:
            return ()


def _members(fact: Any) -> dict[str, Any]:
    return {name: getattr(fact, name) for name in fact.__dataclass_fields__}


def _sanction(fact: f.OrganisationSanctioned, origin: Origin) -> Command:
    return keeping.KeepSanction(
        **origin.meta("keep-sanction", fact.organisation_id),
        organisation_id=fact.organisation_id,
        sanction=Sanction(
            decision_id=fact.decision_id,
            kind=fact.kind,
            begins=fact.begins,
            until=fact.until,
            status=fact.status,
        ),
    )


def _star(fact: f.StarDecided, origin: Origin) -> Command:
    meta = origin.meta("record-star", fact.award_id)
    members = _members(fact) | {
        "decided_by": c.Authority(**asdict(fact.decided_by)),
        "lowers": c.Lowers(**asdict(fact.lowers)) if fact.lowers else None,
    }
    return c.RecordStar(
        **meta, salt=origin.salt(meta["command_id"]), awarded_at=origin.at, **members
    )


def _ended(fact: f.TransferEnded, origin: Origin) -> tuple[Command, ...]:
    """At the origin the fence comes down, at the destination what was staged is taken away."""
    if fact.role == "destination":
        return (
            s.DiscardStaging(
                **origin.meta("discard-staging", fact.transfer_id),
                subject_id=fact.subject_id,
                transfer_id=fact.transfer_id,
            ),
        )
    if fact.subject_id is None:
        # It ended before the origin knew of whom it spoke: nothing was ever frozen for it.
        return ()
    return (
        c.ThawDossier(
            **origin.meta("thaw-dossier", fact.subject_id),
            subject_id=fact.subject_id,
            transfer_id=fact.transfer_id,
        ),
    )
