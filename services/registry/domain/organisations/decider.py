"""May a body be registered, filed, sanctioned, and what follows?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from services.registry.domain import names, regions, texts, uscc
from services.registry.domain.authority import reviews
from services.registry.domain.organisations.commands import (
    FileOrganisation,
    RegisterOrganisation,
    Responsible,
    SanctionOrganisation,
)
from services.registry.domain.organisations.events import (
    OrganisationEvent,
    OrganisationFiled,
    OrganisationRegistered,
    OrganisationSanctioned,
    Standing,
)
from services.registry.domain.organisations.state import (
    Filed,
    Organisation,
    Registered,
    Sanction,
    Taken,
)
from services.registry.domain.rejections import (
    ActorMayNot,
    DecisionIsMissing,
    FieldIsWrong,
    FilingIsTaken,
    KindNeedsSupervisor,
    NotFound,
    TextHoldsPersonalData,
    UsccIsInvalid,
    UsccIsTaken,
)
from shared.clock import local_day
from shared.messages import Event, Rejection

# Order 685 Art 8 bodies have a supervising body, or belong to a category registered directly.
_SUPERVISED = frozenset(("social_group", "social_service_agency", "foundation"))
# Inside a unit there is no registration without the unit.
_ALWAYS_SUPERVISED = frozenset(("unit_internal_group",))
_STOPPING = frozenset(("stop_and_rectify", "licence_revoked"))
# The event's last field is a list of decisions kept in the state: more is a case for a human.
MAX_SANCTIONS = 100

Ruling = tuple[Event, ...] | Rejection


def register(
    state: Organisation | None, taken: Taken | None, command: RegisterOrganisation
) -> Ruling:
    """A body with a code; the code belongs to one body."""
    if state is not None:
        return ()
    if not reviews(command.actor, command.seat_region):
        return ActorMayNot()
    if (no := _fault(command)) is not None:
        return no
    judged = uscc.judge(command.uscc)
    if judged.canonical is None:
        return UsccIsInvalid("uscc", judged.reason)
    if command.kind == "grassroots_team":
        return FieldIsWrong("kind", "is_filed")
    unsupervised = command.supervising_body_id is None
    if unsupervised and (
        command.kind in _ALWAYS_SUPERVISED
        or (command.kind in _SUPERVISED and command.direct_category is None)
    ):
        return KindNeedsSupervisor(command.kind)
    if taken is not None:
        return UsccIsTaken(taken.organisation_id)
    return (
        OrganisationRegistered(
            organisation_id=command.organisation_id,
            name=names.as_written(command.name),
            kind=command.kind,
            uscc=judged.canonical,
            filing=None,
            seat_region=command.seat_region,
            scope=command.scope,
            established_on=command.established_on,
            charity=command.charity,
            supervising_body_id=command.supervising_body_id,
        ),
    )


def file(state: Organisation | None, taken: Taken | None, command: FileOrganisation) -> Ruling:
    """A body without a code; office and number belong to one body, and no code is invented."""
    if state is not None:
        return ()
    if not reviews(command.actor, command.seat_region):
        return ActorMayNot()
    if (no := _fault(command)) is not None:
        return no
    for place, text in (
        ("filing_office", command.filing.office),
        ("filing_number", command.filing.number),
    ):
        if (reason := texts.fault(text, 100)) is not None:
            return FieldIsWrong(place, reason)
    if taken is not None:
        return FilingIsTaken(taken.organisation_id)
    return (
        OrganisationFiled(
            organisation_id=command.organisation_id,
            name=names.as_written(command.name),
            kind=command.kind,
            uscc=None,
            filing=command.filing,
            seat_region=command.seat_region,
            scope=command.scope,
            established_on=command.established_on,
            charity=command.charity,
            supervising_body_id=command.supervising_body_id,
        ),
    )


def sanction(state: Organisation | None, command: SanctionOrganisation) -> Ruling:
    """A decision is recorded under its number; the same one again is silence (R18)."""
    if state is None:
        return NotFound()
    if not reviews(command.actor, state.seat_region):
        return ActorMayNot()
    if not command.decision_id.strip():
        return DecisionIsMissing()
    if command.until is not None and command.until < command.begins:
        return FieldIsWrong("until", "before_from")
    for place, text in (
        ("law_article", command.law_article),
        ("decision_id", command.decision_id),
    ):
        if (no := _text(place, text, 200)) is not None:
            return no
    new = Sanction(command.kind, command.decision_id, command.begins, command.until)
    if new in state.sanctions:
        return ()
    if len(state.sanctions) >= MAX_SANCTIONS:
        return FieldIsWrong("decision_id", "too_many")
    stopped = command.kind in _STOPPING or state.standing == "stopped"
    standing: Standing = "stopped" if stopped else "active"
    return (
        OrganisationSanctioned(
            organisation_id=command.organisation_id,
            kind=command.kind,
            from_=command.begins,
            until=command.until,
            law_article=command.law_article,
            decision_id=command.decision_id,
            public=command.public,
            status=standing,
        ),
    )


def evolve(state: Organisation | None, event: OrganisationEvent) -> Organisation | None:
    """Folding never fails."""
    match event:
        case OrganisationRegistered():
            return Registered(
                organisation_id=event.organisation_id,
                name=event.name,
                kind=event.kind,
                uscc=event.uscc,
                seat_region=event.seat_region,
            )
        case OrganisationFiled():
            return Filed(
                organisation_id=event.organisation_id,
                name=event.name,
                kind=event.kind,
                filing=event.filing,
                seat_region=event.seat_region,
            )
        case OrganisationSanctioned():
            if state is None:
                return None
            decided = Sanction(event.kind, event.decision_id, event.from_, event.until)
            return replace(state, standing=event.status, sanctions=(*state.sanctions, decided))


def evolve_taken(state: Taken | None, event: OrganisationEvent) -> Taken | None:
    """The code or filing belongs to the body that the event names."""
    if isinstance(event, OrganisationRegistered | OrganisationFiled):
        return Taken(organisation_id=event.organisation_id)
    return state


def _fault(command: RegisterOrganisation | FileOrganisation) -> Rejection | None:
    if not regions.is_region(command.seat_region):
        return FieldIsWrong("seat_region", "region_code")
    for place, text, limit in (("name", command.name, 100), ("scope", command.scope, 500)):
        if (no := _text(place, text, limit)) is not None:
            return no
    if not date(1900, 1, 1) <= command.established_on <= local_day(command.at):
        return FieldIsWrong("established_on", "out_of_range")
    if command.supervising_body_id == "":
        return FieldIsWrong("supervising_body_id", "length")
    return _responsible_fault(command.responsible_person)


def _responsible_fault(person: Responsible | None) -> Rejection | None:
    if person is None:
        return None
    if (reason := names.fault(person.name)) is not None:
        return FieldIsWrong("responsible_person.name", reason)
    if person.contact.phone is not None and names.phone(person.contact.phone) is None:
        return FieldIsWrong("responsible_person.contact.phone", "form")
    return None


def _text(place: str, text: str, limit: int) -> Rejection | None:
    if (reason := texts.fault(text, limit)) is not None:
        return FieldIsWrong(place, reason)
    return TextHoldsPersonalData(place) if texts.holds_personal_data(text) else None
