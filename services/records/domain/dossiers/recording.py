"""May this fact become an entry? Services, trainings, stars (domain.md 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from services.records.domain import same_fact, tiers
from services.records.domain.dossiers import bodies
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.facts_of_service import (
    Judged,
    judge_service,
    judge_training,
    wrong_label,
    wrong_reference,
)
from services.records.domain.dossiers.folding import City, Fold
from services.records.domain.dossiers.state import Absent, Claim, Dossier, Window
from services.records.domain.entries import Card, card_of
from services.records.domain.knowledge import (
    Organisation,
    RecordingRules,
    policy_on,
    recording_rules,
)
from services.records.domain.rejections import (
    ActorMayNot,
    DecisionIsMissing,
    EvidenceIsMissing,
    FieldIsWrong,
    OrganisationIsUnknown,
    PolicyIsMissing,
    RecorderMayNotAct,
    SubjectIsUnknown,
)
from shared.clock import local_day, wire
from shared.ids import command_ulid
from shared.messages import Actor, Event, Rejection
from shared.working_days import Calendar

# How an entry came to be, where a person or another system records it one by one.
RECORDED_BY_HAND: Final = frozenset(
    {
        "auto_qr",
        "auto_geo",
        "leader_entry",
        "self_claim_confirmed",
        "manual_supplement",
        "paper",
        "material_verified",
    }
)
IN_BATCHES: Final = frozenset({"batch_import", "paper", "legacy"})

Ruling = tuple[Event, ...] | Rejection


def record_service(dossier: Dossier, command: c.RecordService, city: City) -> Ruling:
    """A service, pending until a second person approves it; a legacy row approved at once.

    Pure: an import calls it for each row, with the row's actor, and holds what it refuses.
    """
    place = _where(dossier, command.actor, command)
    if isinstance(place, Rejection):
        return place
    wrong = _wrong_ways(command)
    if wrong is not None:
        return wrong
    judged = judge_service(command.facts, command.evidence_class, command.at)
    if isinstance(judged, Rejection):
        return judged
    region = command.facts.place.region_code
    rules = rules_for(dossier.window, city.node, region, judged.occurred_on, command.actor)
    if isinstance(rules, Rejection):
        return rules
    legacy = command.batch is not None and command.evidence_class == "legacy"
    detail = _detail(command, place, city.node) | _lateness(
        judged, command.evidence_class, local_day(command.at), rules, city.calendar
    )
    detail["recording_policy"] = {"policy_id": rules.policy_id, "version": rules.version}
    # A hint: the tier is judged when it is approved.
    detail["review_tier"] = (
        None
        if legacy
        else tiers.tier_of(
            judged.body["minutes_by_day"],
            day_cards(dossier.window),
            ("", ""),
            rules,
        )
    )
    if legacy and command.batch is not None:
        detail |= {"decision_id": command.batch.decision_id}
        detail |= {"approved_at": None, "approved_by": command.actor.actor_id}
    key = same_fact.service_key(command.organisation_id, command.subject_id, command.facts)
    return _enter(dossier, command, city, "service", judged, detail, key, approved=legacy)


def record_training(dossier: Dossier, command: c.RecordTraining, city: City) -> Ruling:
    """Learning minutes; the same fact is known by its name and day."""
    place = _where(dossier, command.actor, command)
    if isinstance(place, Rejection):
        return place
    wrong = _wrong_ways(command)
    if wrong is not None:
        return wrong
    judged = judge_training(command.facts, command.at)
    if isinstance(judged, Rejection):
        return judged
    region = place.seat_region or city.node
    rules = rules_for(dossier.window, city.node, region, judged.occurred_on, command.actor)
    if isinstance(rules, Rejection):
        return rules
    detail = _detail(command, place, city.node) | _lateness(
        judged, command.evidence_class, local_day(command.at), rules, city.calendar
    )
    key = same_fact.training_key(command.organisation_id, command.subject_id, command.facts)
    return _enter(dossier, command, city, "training", judged, detail, key, approved=False)


def record_star(dossier: Dossier, command: c.RecordStar, city: City) -> Ruling:
    """A star that rewards decided; the decision has been made, so nothing is judged but its id."""
    if not command.actor.has("system"):
        return ActorMayNot()
    if isinstance(dossier.row, Absent):
        return SubjectIsUnknown()
    source = c.Source(system="rewards", id=command.award_id)
    lowers = command.lowers
    body = {
        "level": command.level,
        "name": command.name,
        "policy_id": command.policy_id,
        "policy_version": command.policy_version,
        "basis_minutes": command.basis_minutes,
        "cutoff_on": command.cutoff_on.isoformat() if command.cutoff_on else None,
        "award_mode": command.award_mode,
        "authority_level": command.authority_level,
        "decision_id": command.decision_id,
    }
    if lowers is not None:
        body["lowers"] = {
            "issuer": lowers.issuer,
            "entry_id": lowers.entry_id,
            "cause": lowers.cause,
        }
    by = command.decided_by
    detail: dict[str, Any] = {
        "recorder": {
            "organisation_id": by.organisation_id,
            "name": by.name,
            "kind": by.kind,
            "uscc": by.uscc,
            "filing": dict(by.filing) if by.filing else None,
            "supervising_body_id": None,
        },
        "evidence_class": "decision",
        "recorded_by": command.actor.actor_id,
        "approved_at": None,
        "approved_by": command.actor.actor_id,
        "late": None,
        "due_on": None,
        "source": {"system": source.system, "id": source.id},
    }
    judged = Judged(0, command.awarded_on, command.awarded_on, body)
    key = same_fact.source_key(by.organisation_id, source)
    return _enter(dossier, command, city, "star", judged, detail, key, approved=True)


def rules_for(
    window: Window, node: str, region: str, day: date, actor: Actor
) -> RecordingRules | Rejection:
    """The recording policy of the place and day of the fact (R48); ours where it is elsewhere."""
    policy = policy_on(window.policies, "recording", region, day) or policy_on(
        window.policies, "recording", node, day
    )
    if policy is not None:
        return recording_rules(policy)
    # Over HTTP policies have been read, so no later fact will change it.
    return (
        PolicyIsMissing("recording")
        if actor.has("system")
        else FieldIsWrong("occurred_on", "no_policy_for_that_day")
    )


def day_cards(window: Window) -> tuple[Card, ...]:
    """All entries known here that may have minutes on a day, held ones included (R4)."""
    if not window.held:
        return tuple(window.cards.values())
    cards = dict(window.cards)
    for key in {version.key for version in window.held}:
        # A held version is of an entry that was loaded, or of one that has no other version.
        versions = [each.version for each in window.known.get(key, ())]
        versions += [each for each in window.held if each.key == key]
        if key in cards:
            versions += [cards[key].standing, cards[key].counting]
        unique = {each.version: each for each in versions}
        cards[key] = card_of(unique.values())
    return tuple(cards.values())


def _where(
    dossier: Dossier, actor: Actor, command: c.RecordService | c.RecordTraining
) -> Organisation | Rejection:
    """The recorder that the actor acts for, if it may record of this subject today."""
    recorders = {grant.organisation_id for grant in actor.holding("recorder")}
    legacy = isinstance(command, c.RecordService) and command.batch is not None
    if command.organisation_id not in recorders and not (
        legacy and actor.has("city_reviewer", "system")
    ):
        return ActorMayNot()
    if isinstance(dossier.row, Absent):
        return SubjectIsUnknown()
    organisation = dossier.window.organisations.get(command.organisation_id)
    if organisation is None:
        return OrganisationIsUnknown(command.organisation_id)
    stopped = organisation.stopped_on(local_day(command.at))
    return organisation if stopped is None else RecorderMayNotAct(stopped)


def _wrong_ways(command: c.RecordService | c.RecordTraining) -> Rejection | None:
    batch = command.batch if isinstance(command, c.RecordService) else None
    allowed = RECORDED_BY_HAND if batch is None else IN_BATCHES
    if command.evidence_class not in allowed:
        return FieldIsWrong("evidence_class", "not_allowed_here")
    if command.evidence_class == "manual_supplement" and command.evidence_id is None:
        return EvidenceIsMissing()
    if command.evidence_class == "legacy" and batch is not None and batch.decision_id is None:
        return DecisionIsMissing()
    source = command.source
    return (
        wrong_reference("evidence_id", command.evidence_id)
        or wrong_reference("team_id", command.team_id)
        or wrong_label("source.system", source.system if source else None)
        or _wrong_source_id(source)
    )


def _wrong_source_id(source: c.Source | None) -> Rejection | None:
    if source is None or (0 < len(source.id) <= 120 and source.id.isprintable()):
        return None
    return FieldIsWrong("source.id", "no_reference")


def _detail(
    command: c.RecordService | c.RecordTraining, organisation: Organisation, node: str
) -> dict[str, Any]:
    source = command.source
    told: dict[str, Any] = {
        "system": source.system if source else node,
        "id": source.id if source else None,
    }
    if isinstance(command, c.RecordService) and command.batch is not None:
        told["batch_id"] = command.batch.batch_id
    return {
        "recorder": bodies.recorder(organisation),
        "team_id": command.team_id,
        "evidence_class": command.evidence_class,
        "evidence_id": command.evidence_id,
        "recorded_by": command.actor.actor_id,
        "approved_at": None,
        "approved_by": None,
        "source": told,
    }


def _lateness(
    judged: Judged, evidence_class: str, today: date, rules: RecordingRules, calendar: Calendar
) -> dict[str, Any]:
    """``due_on`` and ``late``; an unknown year leaves both open (R10, Order 67 Art 11)."""
    aged = (today - judged.ended_on).days > 365
    if evidence_class in ("legacy", "paper") and aged:
        return {"due_on": None, "late": False}
    due_on = calendar.due_on(judged.ended_on, rules.within_working_days)
    return {
        "due_on": due_on.isoformat() if due_on else None,
        "late": today > due_on if due_on else None,
    }


def _enter(
    dossier: Dossier,
    command: c.RecordService | c.RecordTraining | c.RecordStar,
    city: City,
    kind: str,
    judged: Judged,
    detail: Mapping[str, Any],
    key: str,
    *,
    approved: bool,
) -> Ruling:
    batch = command.batch if isinstance(command, c.RecordService) else None
    if isinstance(command, c.RecordStar):
        born_at = command.awarded_at
    else:
        born_at = batch.opened_at if batch else command.at
    entry_id = f"{city.node}-{command_ulid(born_at, command.command_id)}"
    detail = {**detail, "body": judged.body}
    if approved:
        detail = detail | {"approved_at": wire(command.at)}
    version = bodies.version_of(
        bodies.first_version(
            kind=kind,
            node=city.node,
            subject_id=command.subject_id,
            entry_id=entry_id,
            state="approved" if approved else "pending",
            minutes=judged.minutes,
            counted_minutes=judged.minutes if approved else 0,
            occurred_on=judged.occurred_on.isoformat(),
            recorded_at=command.at,
            detail=detail,
            salt=command.salt,
        )
    )
    if isinstance(version, Rejection):
        return version
    assert version.body is not None
    content = same_fact.content_digest(version.body)
    keys, source = claim_keys(command, key)
    found = same_fact.look_up(
        keys, source, dossier.window.claims, command.subject_id, content, batch
    )
    if isinstance(found, same_fact.Repeat):
        return ()
    if found is not None:
        return found
    claims = tuple(
        Claim(
            key=each,
            entry_id=entry_id,
            subject_id=command.subject_id,
            content=content,
            batch_id=batch.batch_id if batch else None,
            row_no=batch.row_no if batch else None,
        )
        for each in keys
    )
    fold = Fold(dossier, city)
    refused = fold.enter(e.EntryRecorded, version, claims=claims)
    return refused if refused is not None else tuple(fold.events)


def claim_keys(
    command: c.RecordService | c.RecordTraining | c.RecordStar, key: str
) -> tuple[tuple[str, ...], str | None]:
    """The keys that the entry claims, and which of them is its source's."""
    if isinstance(command, c.RecordStar):
        return (key,), key
    if command.source is None:
        return (key,), None
    source = same_fact.source_key(command.organisation_id, command.source)
    return (key, source), source


def natural_key(command: c.RecordService | c.RecordTraining | c.RecordStar) -> str:
    """The natural key of what a command would record."""
    if isinstance(command, c.RecordService):
        return same_fact.service_key(command.organisation_id, command.subject_id, command.facts)
    if isinstance(command, c.RecordTraining):
        return same_fact.training_key(command.organisation_id, command.subject_id, command.facts)
    source = c.Source(system="rewards", id=command.award_id)
    return same_fact.source_key(command.decided_by.organisation_id, source)
