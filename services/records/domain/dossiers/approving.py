"""May this entry be approved or rejected, and by this actor? (domain.md 3.2; R4, R12, R19)"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.records.domain import tiers
from services.records.domain.dossiers import bodies
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.facts_of_service import wrong_reason
from services.records.domain.dossiers.finding import (
    RESERVED,
    claims_moved,
    claims_of,
    enter,
    find,
    last_approved,
    region_of,
)
from services.records.domain.dossiers.folding import City
from services.records.domain.dossiers.recording import Ruling, day_cards, rules_for
from services.records.domain.dossiers.state import Dossier
from services.records.domain.entries import Version
from services.records.domain.knowledge import TierBody
from services.records.domain.rejections import (
    ActorMayNot,
    EntryIsNotPending,
    OwnEntry,
    PublicityIsRunning,
    RecordedByYou,
    TierIsHigher,
)
from shared.clock import local_day, wire
from shared.messages import Rejection

ANY_TIER: tuple[TierBody, ...] = ("recorder", "parent_organisation", "higher_authority")


def approve(dossier: Dossier, command: c.ApproveEntry, city: City) -> Ruling:
    found = find(dossier, command, city, "approver")
    if isinstance(found, Rejection):
        return found
    version, body, recorder = found
    refused = _judge_pending(version, command, body)
    if refused is not None:
        return refused
    region = region_of(version, recorder, city)
    rules = rules_for(dossier.window, city.node, region, version.occurred_on, command.actor)
    if isinstance(rules, Rejection):
        return rules
    if not rules.may_approve_own_recording and command.actor.actor_id == _maker(body):
        return RecordedByYou()
    tier: TierBody = "recorder"
    if version.kind == "service":
        tier = tiers.tier_of(version.minutes_by_day, day_cards(dossier.window), version.key, rules)
    if not tiers.may_approve(command.actor, tier, recorder, region):
        return TierIsHigher(tier) if tier != "recorder" else ActorMayNot()
    following = bodies.next_version(
        body,
        version=version.version + 1,
        state="approved",
        counted_minutes=version.minutes,
        reason="approved",
        at=command.at,
        salt=command.salt,
        detail={
            "approved_at": wire(command.at),
            "approved_by": command.actor.actor_id,
            "review_tier": None,
        },
    )
    return enter(dossier, city, e.EntryApproved, following)


def reject(dossier: Dossier, command: c.RejectEntry, city: City) -> Ruling:
    """A plain entry is rejected for good; a correction falls back to what was approved (R12)."""
    found = find(dossier, command, city, "approver")
    if isinstance(found, Rejection):
        return found
    version, body, recorder = found
    refused = _judge_pending(version, command, body)
    if refused is not None:
        return refused
    region = region_of(version, recorder, city)
    # Whoever may approve some day of it may reject it, the body above it as well.
    if not any(tiers.may_approve(command.actor, tier, recorder, region) for tier in ANY_TIER):
        return ActorMayNot()
    reason = command.reason_code or "rejected"
    wrong = wrong_reason(reason, RESERVED)
    if wrong is not None:
        return wrong
    approved = last_approved(dossier, version)
    if approved is not None and approved.body is not None:
        restored = bodies.next_version(
            approved.body,
            version=version.version + 1,
            state="approved",
            counted_minutes=approved.minutes,
            reason="correction_rejected",
            at=command.at,
            salt=command.salt,
        )
        claims, freed = claims_moved(dossier, body, restored)
        return enter(dossier, city, e.EntryRejected, restored, claims, freed)
    following = bodies.next_version(
        body,
        version=version.version + 1,
        state="rejected",
        counted_minutes=0,
        reason=reason,
        at=command.at,
        salt=command.salt,
    )
    return enter(dossier, city, e.EntryRejected, following, freed=claims_of(dossier, version))


def _judge_pending(
    version: Version, command: c.EntryCommand, body: Mapping[str, Any]
) -> Rejection | None:
    if version.state not in ("pending", "publicised"):
        return EntryIsNotPending(version.state)
    if command.actor.subject_id == command.subject_id:
        return OwnEntry()
    shown = body["detail"].get("publicity")
    if (
        version.state == "publicised"
        and isinstance(shown, Mapping)
        and local_day(command.at) <= date.fromisoformat(shown["until"])
    ):
        return PublicityIsRunning()
    return None


def _maker(body: Mapping[str, Any]) -> str | None:
    """Who wrote what waits for approval: of a correction its maker, else the recorder's person."""
    corrected = body["detail"].get("corrected")
    if isinstance(corrected, Mapping) and corrected.get("from_version") == body["version"] - 1:
        maker = corrected.get("by")
    else:
        maker = body["detail"].get("recorded_by")
    return maker if isinstance(maker, str) else None
