"""May this version be proposed, confirmed, published? And which version holds where and when?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.registry.domain.authority import PROVISION, governs
from services.registry.domain.policies.commands import (
    ConfirmPolicy,
    Document,
    ProposePolicy,
    PublishPolicy,
)
from services.registry.domain.policies.events import (
    PolicyEvent,
    PolicyKind,
    PolicyProposed,
    PolicyPublished,
)
from services.registry.domain.policies.state import Policy, Version
from services.registry.domain.regions import holds, narrowness
from services.registry.domain.rejections import (
    ActorMayNot,
    ContentIsInvalid,
    EffectiveDateIsPast,
    NotFound,
    ProposalHasLapsed,
    SecondPersonIsMissing,
    VersionIsNotNext,
)
from shared.canonical import digest
from shared.clock import local_day
from shared.messages import Event, Rejection

PROPOSAL_LIFETIME = timedelta(days=7)

Ruling = tuple[Event, ...] | Rejection


def propose(state: Policy | None, command: ProposePolicy) -> Ruling:
    """Stored for seven days; a newer proposal takes an older one's place."""
    document = command.document
    if not governs(command.actor, document.jurisdiction):
        return ActorMayNot()
    if (no := _fault(state, document, command.at)) is not None:
        return no
    return (
        PolicyProposed(
            policy_id=document.policy_id,
            version=document.version,
            proposal_id=command.proposal_id,
            kind=document.kind,
            jurisdiction=document.jurisdiction,
            effective_from=document.effective_from,
            correction=document.correction,
            source=document.source,
            content=document.content,
            proposed_by=command.actor.actor_id,
            expires_at=command.at + PROPOSAL_LIFETIME,
        ),
    )


def confirm(state: Policy | None, command: ConfirmPolicy) -> Ruling:
    """The second person publishes; what held at the proposal is judged again today."""
    if state is None:
        return NotFound()
    proposal = state.proposal
    if proposal is None or proposal.proposal_id != command.proposal_id:
        return ProposalHasLapsed()
    if not governs(command.actor, proposal.jurisdiction):
        return ActorMayNot()
    if command.at >= proposal.expires_at:
        return ProposalHasLapsed()
    if command.actor.actor_id == proposal.proposed_by:
        return SecondPersonIsMissing()
    document = _document(proposal)
    if (no := _fault(state, document, command.at)) is not None:
        return no
    return (_published(document, command.at, proposal.proposed_by, command.actor.actor_id),)


def publish(state: Policy | None, command: PublishPolicy) -> Ruling:
    """The packs, at provision; an equal version that stands already is silence."""
    if command.actor.actor_id != PROVISION:
        return SecondPersonIsMissing()
    document = command.document
    held = (
        next((v for v in state.versions if v.version == document.version), None) if state else None
    )
    if held is not None and held.digest == digest(document.content):
        return ()
    if (no := _fault(state, document, command.at)) is not None:
        return no
    return (_published(document, command.at, PROVISION, PROVISION),)


def evolve(state: Policy | None, event: PolicyEvent) -> Policy:
    """Folding never fails."""
    known = state or Policy(policy_id=event.policy_id, kind=event.kind)
    if isinstance(event, PolicyProposed):
        return replace(known, proposal=event)
    version = Version(event.version, event.effective_from, digest(event.content))
    return replace(known, versions=(*known.versions, version), proposal=None)


@dataclass(frozen=True, slots=True)
class Published:
    """One version on the shelf, as it is judged which holds."""

    policy_id: str
    version: int
    kind: PolicyKind
    jurisdiction: tuple[str, ...]
    effective_from: date


def in_force(shelf: Iterable[Published], day: date, place: str) -> tuple[Published, ...]:
    """Of each policy whose jurisdiction holds ``place``, the version that holds on ``day``.

    The greatest ``effective_from`` ≤ day, and of equal ones the higher version (architecture.md
    10); narrowest jurisdiction first.
    """
    best: dict[str, Published] = {}
    for each in shelf:
        if each.effective_from > day:
            continue
        held = best.get(each.policy_id)
        if held is None or (each.effective_from, each.version) > (
            held.effective_from,
            held.version,
        ):
            best[each.policy_id] = each
    reaching = [each for each in best.values() if reach(each, place) is not None]
    return tuple(sorted(reaching, key=lambda each: (-(reach(each, place) or 0), each.policy_id)))


def reach(published: Published, place: str) -> int | None:
    """How narrowly the jurisdiction holds the place (0 everywhere … 3 county); None: not at all."""
    found = [narrowness(region) for region in published.jurisdiction if holds(region, place)]
    return max(found, default=None)


def _fault(state: Policy | None, document: Document, at: datetime) -> Rejection | None:
    if state is not None and state.kind != document.kind:
        return ContentIsInvalid("kind", "differs")
    following = len(state.versions) + 1 if state is not None else 1
    if document.version != following:
        return VersionIsNotNext(following)
    today = local_day(at)
    if document.correction:
        # It begins on its day of publication and touches no earlier fact.
        return None if document.effective_from == today else EffectiveDateIsPast(today)
    if document.version > 1 and document.effective_from <= today:
        return EffectiveDateIsPast(today + timedelta(days=1))
    return None


def _document(proposal: PolicyProposed) -> Document:
    return Document(
        policy_id=proposal.policy_id,
        version=proposal.version,
        kind=proposal.kind,
        jurisdiction=proposal.jurisdiction,
        effective_from=proposal.effective_from,
        correction=proposal.correction,
        source=proposal.source,
        content=proposal.content,
    )


def _published(document: Document, at: datetime, proposer: str, confirmer: str) -> PolicyPublished:
    return PolicyPublished(
        policy_id=document.policy_id,
        version=document.version,
        kind=document.kind,
        jurisdiction=document.jurisdiction,
        effective_from=document.effective_from,
        correction=document.correction,
        source=document.source,
        content=document.content,
        published_at=at,
        proposed_by=proposer,
        confirmed_by=confirmer,
    )
