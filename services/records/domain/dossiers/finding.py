"""Which entry is meant, may this actor know of it, and how does a change of it enter?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.records.domain import same_fact, tiers
from services.records.domain.dossiers import bodies
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.corrected_facts import corrected_facts
from services.records.domain.dossiers.folding import City, Fold
from services.records.domain.dossiers.recording import Ruling
from services.records.domain.dossiers.state import Absent, Claim, Dossier
from services.records.domain.entries import Version
from services.records.domain.knowledge import Organisation
from services.records.domain.rejections import (
    ActorMayNot,
    DecisionIsMissing,
    EntryIsUnknown,
    FieldIsWrong,
    NotYourEntry,
)
from shared.messages import Actor, Rejection

FINAL: Final = frozenset({"rejected", "revoked"})
# Codes that say what a version is; a person's reason may not pretend to be one.
RESERVED: Final = frozenset({"approved", "correction_rejected", "shown", "disputed"})


def highest(dossier: Dossier, key: tuple[str, str]) -> Version | None:
    """The highest version known here, held or not: the next one is one above it."""
    known = dossier.window.known.get(key, ())
    return max((each.version for each in known), key=lambda v: v.version, default=None)


def region_of(version: Version, recorder: Organisation, city: City) -> str:
    """The place that decides which reviewers and rules an entry has."""
    return version.region_code or recorder.seat_region or city.node


Found = tuple[Version, Mapping[str, Any], Organisation]


def find(
    dossier: Dossier, command: c.EntryCommand, city: City, role: str, *, decides: bool = False
) -> Found | Rejection:
    """The entry, if this actor may know of it and act on it in this role.

    A stranger hears what he would hear of an entry that is not there.
    """
    if isinstance(dossier.row, Absent):
        return EntryIsUnknown()
    version = highest(dossier, (command.issuer, command.entry_id))
    if version is None or version.body is None:
        return EntryIsUnknown()
    if version.issuer != city.node:
        return NotYourEntry(version.issuer)
    recorder = _recorder_of(dossier, version.body)
    actor, region = command.actor, region_of(version, recorder, city)
    if decides:
        if actor.has("city_reviewer") and tiers.reviews(actor, region, "city_reviewer"):
            return version, version.body, recorder
        return ActorMayNot() if _related(actor, recorder, region) else EntryIsUnknown()
    if role == "approver":
        related = _related(actor, recorder, region)
        return (version, version.body, recorder) if related else EntryIsUnknown()
    if recorder.organisation_id in {grant.organisation_id for grant in actor.holding(role)}:
        return version, version.body, recorder
    if not _related(actor, recorder, region):
        return EntryIsUnknown()
    if actor.has("city_reviewer") and tiers.reviews(actor, region, "city_reviewer"):
        return DecisionIsMissing()
    return ActorMayNot()


def _recorder_of(dossier: Dossier, body: Mapping[str, Any]) -> Organisation:
    """The recorder as it is known today; as the entry says where registry never told of it."""
    told = body["detail"]["recorder"]
    known = dossier.window.organisations.get(told["organisation_id"])
    return known or Organisation(
        organisation_id=told["organisation_id"],
        name=told["name"],
        kind=told["kind"],
        uscc=told["uscc"],
        filing=told["filing"],
        seat_region=None,
        supervising_body_id=told.get("supervising_body_id"),
        status="active",
    )


def _related(actor: Actor, recorder: Organisation, region: str) -> bool:
    bodies_ = {recorder.organisation_id, recorder.supervising_body_id} - {None}
    theirs = {grant.organisation_id for grant in actor.holding("recorder", "approver", "org_admin")}
    return bool(bodies_ & theirs) or tiers.reviews(actor, region)


def last_approved(dossier: Dossier, version: Version) -> Version | None:
    known = dossier.window.known.get(version.key, ())
    approved = [each.version for each in known if each.version.state == "approved"]
    return max(approved, key=lambda v: v.version, default=None)


def claims_of(dossier: Dossier, version: Version) -> tuple[str, ...]:
    """The keys that this entry holds and frees when it ends."""
    claims = dossier.window.claims.values()
    return tuple(sorted(each.key for each in claims if each.entry_id == version.entry_id))


def claims_moved(
    dossier: Dossier, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """A fact that reads otherwise is claimed under its new key; its source stays."""
    entry_id, subject_id = after["entry_id"], after["subject_id"]
    mine = [each for each in dossier.window.claims.values() if each.entry_id == entry_id]
    old_key, new_key = _key_of_body(before), _key_of_body(after)
    content = same_fact.content_digest(after)
    kept = [each for each in mine if each.key != old_key]
    template = next(iter(mine), None)
    claims = [
        Claim(each.key, entry_id, subject_id, content, each.batch_id, each.row_no) for each in kept
    ]
    claims.append(
        Claim(
            new_key,
            entry_id,
            subject_id,
            content,
            template.batch_id if template else None,
            template.row_no if template else None,
        )
    )
    return tuple(claims), (() if old_key == new_key else (old_key,))


def _key_of_body(body: Mapping[str, Any]) -> str:
    facts = corrected_facts(body, {})
    organisation = body["detail"]["recorder"]["organisation_id"]
    assert not isinstance(facts, Rejection)
    if isinstance(facts, c.ServiceFacts):
        return same_fact.service_key(organisation, body["subject_id"], facts)
    return same_fact.training_key(organisation, body["subject_id"], facts)


def enter(
    dossier: Dossier,
    city: City,
    shape: type[e.EntryEvent],
    body: Mapping[str, Any],
    claims: tuple[Claim, ...] = (),
    freed: tuple[str, ...] = (),
) -> Ruling:
    if body["version"] > bodies.MAX_VERSION:
        return FieldIsWrong("version", "more_than_9999_versions")
    version = bodies.version_of(body)
    if isinstance(version, Rejection):
        return version
    fold = Fold(dossier, city)
    refused = fold.enter(shape, version, claims=claims, freed=freed)
    return refused if refused is not None else tuple(fold.events)
