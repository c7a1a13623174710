"""How are the own copies of organisations and policies kept? Fed by registry's topics.

What registry says is taken as it is; hearing it again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from services.records.domain.knowledge import Organisation, PolicyVersion, Sanction
from shared.messages import Command, Event

# The kinds of policy that a decision of this service reads.
KINDS_KEPT: Final = frozenset({"recording", "transfer_pair"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOrganisation(Command):
    organisation: Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSanction(Command):
    organisation_id: str
    sanction: Sanction


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPolicy(Command):
    policy: PolicyVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationKept(Event):
    """*Own.*"""

    organisation: Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKept(Event):
    """*Own.*"""

    policy: PolicyVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOrganisation:
    """None: registry has not told of it yet."""

    organisation: Organisation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPolicy:
    """Every version of one policy, by number."""

    versions: tuple[PolicyVersion, ...] = ()


Kept = KeptOrganisation | KeptPolicy
KeepingCommand = KeepOrganisation | KeepSanction | KeepPolicy


def decide(kept: Kept, command: KeepingCommand) -> tuple[Event, ...]:
    match kept, command:
        case KeptOrganisation(), KeepOrganisation(organisation=told):
            known = kept.organisation
            # Sanctions are told of apart, before or after it is told of anew.
            merged = replace(told, sanctions=known.sanctions if known else told.sanctions)
            return () if merged == known else (OrganisationKept(organisation=merged),)
        case KeptOrganisation(organisation=Organisation() as known), KeepSanction():
            others = [
                each for each in known.sanctions if each.decision_id != command.sanction.decision_id
            ]
            sanctioned = replace(known, sanctions=(*others, command.sanction))
            return () if sanctioned == known else (OrganisationKept(organisation=sanctioned),)
        case KeptPolicy(), KeepPolicy():
            if any(each.version == command.policy.version for each in kept.versions):
                return ()
            return (PolicyKept(policy=command.policy),)
        case _:
            return ()


def evolve(kept: Kept, event: Event) -> Kept:
    match kept, event:
        case KeptOrganisation(), OrganisationKept():
            return KeptOrganisation(organisation=event.organisation)
        case KeptPolicy(), PolicyKept():
            versions = sorted((*kept.versions, event.policy), key=lambda each: each.version)
            return KeptPolicy(versions=tuple(versions))
        case _:
            return kept
