"""May this entry be corrected or revoked, and by this actor? (domain.md 3.2; R12, R18, R32)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.records.domain import tiers
from services.records.domain.dossiers import bodies
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.corrected_facts import corrected_facts
from services.records.domain.dossiers.facts_of_service import (
    Judged,
    judge_service,
    judge_training,
    wrong_reason,
    wrong_reference,
)
from services.records.domain.dossiers.finding import (
    FINAL,
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
from services.records.domain.dossiers.state import Claim, Dossier
from services.records.domain.entries import Version
from services.records.domain.rejections import (
    DisputeIsOpen,
    EntryIsFinal,
    EntryIsNotApproved,
    EvidenceIsMissing,
    FieldIsWrong,
    ReasonIsMissing,
    SameFactExists,
    VersionIsStale,
)
from shared.messages import Rejection

REVOCATION_REASONS: Final = frozenset(
    {
        "not_volunteer_service",
        "false",
        "duplicate",
        "not_present",
        "paid",
        "profit",
        "decided_anew",
    }
)


def correct(dossier: Dossier, command: c.CorrectEntry, city: City) -> Ruling:
    """A new version; where the recorder changes minutes, the approved figure counts meanwhile."""
    decides = command.decision_id is not None
    found = find(dossier, command, city, "recorder", decides=decides)
    if isinstance(found, Rejection):
        return found
    version, body, recorder = found
    wrong = _judge_correction(version, command)
    if wrong is not None:
        return wrong
    facts = corrected_facts(body, command.changes)
    if isinstance(facts, Rejection):
        return facts
    if isinstance(facts, c.ServiceFacts):
        judged = judge_service(facts, body["detail"]["evidence_class"], command.at)
    else:
        judged = judge_training(facts, command.at)
    if isinstance(judged, Rejection):
        return judged
    region = region_of(version, recorder, city)
    if isinstance(facts, c.ServiceFacts):
        region = facts.place.region_code
    rules = rules_for(dossier.window, city.node, region, judged.occurred_on, command.actor)
    if isinstance(rules, Rejection):
        return rules
    if judged.body == body["detail"]["body"] and judged.minutes == version.minutes:
        return FieldIsWrong("changes", "nothing_changes")
    following = _corrected_body(version, body, judged, command, decides)
    if version.kind == "service":
        following["detail"] = {
            **following["detail"],
            "recording_policy": {"policy_id": rules.policy_id, "version": rules.version},
            "review_tier": tiers.tier_of(
                judged.body["minutes_by_day"], day_cards(dossier.window), version.key, rules
            )
            if following["state"] == "pending"
            else None,
        }
    claims, freed = claims_moved(dossier, body, following)
    taken = _taken(dossier, claims, version.entry_id)
    if taken is not None:
        return taken
    return enter(dossier, city, e.EntryCorrected, following, claims, freed)


def revoke(dossier: Dossier, command: c.RevokeEntry, city: City) -> Ruling:
    decides = command.decision_id is not None
    found = find(dossier, command, city, "recorder", decides=decides)
    if isinstance(found, Rejection):
        return found
    version, body, _ = found
    if command.reason is None or not command.reason.strip():
        return ReasonIsMissing()
    wrong = (
        wrong_reason(command.reason, RESERVED)
        or wrong_reference("evidence_id", command.evidence_id)
        or wrong_reference("decision_id", command.decision_id)
    )
    if wrong is not None:
        return wrong
    if command.reason.partition(": ")[0] not in REVOCATION_REASONS:
        return FieldIsWrong("reason", "unknown")
    if version.state in FINAL:
        return EntryIsFinal(version.state)
    waits = version.state in ("pending", "publicised")
    if waits and last_approved(dossier, version) is None:
        return EntryIsNotApproved(version.state)
    detail: dict[str, Any] = {"revoked_by": command.actor.actor_id}
    if command.decision_id is not None:
        detail["decision_id"] = command.decision_id
    if command.evidence_id is not None:
        detail["revocation_evidence_id"] = command.evidence_id
    following = bodies.next_version(
        body,
        version=version.version + 1,
        state="revoked",
        counted_minutes=0,
        reason=command.reason,
        at=command.at,
        salt=command.salt,
        detail=detail,
    )
    return enter(dossier, city, e.EntryRevoked, following, freed=claims_of(dossier, version))


def _judge_correction(version: Version, command: c.CorrectEntry) -> Rejection | None:
    if version.state in FINAL:
        return EntryIsFinal(version.state)
    if version.state == "disputed":
        return DisputeIsOpen()
    if version.kind not in ("service", "training"):
        # A decision is never corrected; it is revoked and decided anew.
        return EntryIsFinal(version.state)
    if command.from_version != version.version:
        return VersionIsStale(version.version)
    if not command.reason.strip():
        return ReasonIsMissing()
    if command.evidence_id is None:
        return EvidenceIsMissing()
    return (
        wrong_reason(command.reason, RESERVED)
        or wrong_reference("evidence_id", command.evidence_id)
        or wrong_reference("decision_id", command.decision_id)
    )


def _corrected_body(
    version: Version,
    body: Mapping[str, Any],
    judged: Judged,
    command: c.CorrectEntry,
    decides: bool,
) -> dict[str, Any]:
    waits = judged.minutes != version.minutes and not decides
    state = "pending" if waits else version.state
    was_approved = version.state == "approved"
    if state == "approved":
        counted = judged.minutes
    else:
        counted = version.counted_minutes if not was_approved else version.minutes
    before = body["detail"]["body"]
    changed = sorted(name for name in judged.body if judged.body[name] != before.get(name))
    detail: dict[str, Any] = {
        "body": judged.body,
        "corrected": {
            "from_version": version.version,
            "fields": changed,
            "was_minutes": version.minutes,
            "reason": command.reason,
            "evidence_id": command.evidence_id,
            "by": command.actor.actor_id,
        },
    }
    if command.decision_id is not None:
        detail["decision_id"] = command.decision_id
    return bodies.next_version(
        body,
        version=version.version + 1,
        state=state,
        counted_minutes=counted,
        reason=command.reason,
        at=command.at,
        salt=command.salt,
        detail=detail,
        minutes=judged.minutes,
        occurred_on=judged.occurred_on.isoformat(),
    )


def _taken(dossier: Dossier, claims: tuple[Claim, ...], entry_id: str) -> SameFactExists | None:
    for each in claims:
        holder = dossier.window.claims.get(each.key)
        if holder is not None and holder.entry_id != entry_id:
            return SameFactExists(holder.entry_id)
    return None
