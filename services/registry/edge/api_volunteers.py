"""HTTP: registering, claiming, verifying people; their consents and holds."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response

from services.registry.domain import people
from services.registry.domain.authority import reviews
from services.registry.domain.logins.events import ClaimFailed
from services.registry.domain.people import Asked
from services.registry.domain.rejections import (
    AlreadyRegisteredHere,
    ClaimHasExpired,
    IdentityDoesNotMatch,
)
from services.registry.domain.volunteers.commands import (
    ClaimRegistration,
    GiveConsent,
    PlaceHold,
    RecordVerification,
    RegisterVolunteer,
    WithdrawConsent,
)
from services.registry.domain.volunteers.events import Hold
from services.registry.domain.volunteers.state import registration
from services.registry.edge import api_examples as examples
from services.registry.edge import bodies, cursors, presenting
from services.registry.edge.desk import Desk, refused
from services.registry.edge.reach import volunteer
from services.registry.edge.shapes import state_of_text
from services.registry.edge.vault import ClaimRefIsWrong, shown
from shared.auth import require
from shared.clock import wire_exact
from shared.ledger import Accepted, Answer, Decided
from shared.ledger import Request as LedgerRequest
from shared.messages import Actor, Rejection
from shared.problems import not_found, of_rejection
from shared.requests import CommandContext, Page, command, page, page_of, submit
from shared.requests.commands import answered

SubjectId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=[examples.SUBJECT])]
ConsentId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=[examples.CONSENT])]
REVIEWERS = ("county_reviewer", "city_reviewer", "province_reviewer")

_TO_VERIFY = """
    SELECT r.ref, r.kind, r.residence_region, r.verification, r.last_result, r.by_hand,
        r.registered_at
    FROM registration AS r
    WHERE r.verification NOT IN ('document_seen', 'verified_online') AND r.home IS NULL
        AND EXISTS (SELECT FROM unnest($1::text[]) AS x(prefix)
                    WHERE r.residence_region LIKE x.prefix || '%')
        AND ($2::text IS NULL OR (r.residence_region, r.ref) > ($2, $3))
    ORDER BY r.residence_region, r.ref LIMIT $4
"""
_SEEN = """
    SELECT a.state::text AS state FROM transfer_seen AS t
    JOIN aggregate AS a ON a.kind = 'transfer' AND a.id = t.transfer_id
    WHERE t.subject_id = $1 ORDER BY t.since DESC, t.transfer_id LIMIT 200
"""


def router(desk: Desk) -> APIRouter:
    """The routes under /volunteers."""
    routes = APIRouter(tags=["volunteers 志愿者"])

    @routes.post("/volunteers", status_code=201, responses=examples.REGISTERED)
    async def register(
        body: bodies.VolunteerBody,
        context: Annotated[CommandContext, Depends(command("login", "guardian", "org_admin"))],
    ) -> Response:
        """登记志愿者 · RegisterVolunteer: by herself, a guardian, or an organisation."""
        actor = context.actor
        by_herself = body.organisation_id is None and actor.has("login")
        wish = RegisterVolunteer(
            **context.meta(),
            subject_id=secrets.token_hex(16),
            asked=await asked_of(desk, body, context),
            login_id=actor.actor_id if by_herself else None,
            organisation_id=body.organisation_id,
            registered_elsewhere=body.registered_elsewhere,
        )
        return await submit_registration(
            desk, wish, context, lambda decided: _registered(decided, wish.subject_id)
        )

    @routes.post("/volunteers/claims", status_code=200, responses=examples.CLAIMED)
    async def claim(
        body: bodies.ClaimBody,
        context: Annotated[CommandContext, Depends(command("login", "volunteer"))],
    ) -> Response:
        """认领 · ClaimRegistration: someone registered me; I prove to be that person."""
        try:
            subject_id, expires_at = desk.vault.read_claim_ref(body.claim_ref)
        except ClaimRefIsWrong:
            raise refused(ClaimHasExpired()) from None
        document = body.document.document()
        wish = ClaimRegistration(
            **context.meta(),
            subject_id=subject_id,
            login_id=context.actor.actor_id,
            claim_expires_at=expires_at,
            key=desk.vault.key_of(document, body.name, desk.today()),
            check=await desk.checker.document(document, body.name),
        )
        outcome = await desk.ledger.submit(
            wish, request=LedgerRequest(context.digest, lambda decided: _claimed(decided, wish))
        )
        if isinstance(outcome, Rejection):
            raise of_rejection(outcome)
        assert outcome.answer is not None
        if outcome.answer.status != 200:
            # A failed try is kept, for it counts; to the caller it is a refusal.
            raise refused(IdentityDoesNotMatch())
        return answered(outcome)

    @routes.get("/volunteers/me", responses=examples.MINE)
    async def mine(actor: Annotated[Actor, Depends(require("volunteer"))]) -> dict[str, Any]:
        """我的登记 · my registration, with my profile (numbers masked)."""
        state = await own(desk, actor)
        profile = await desk.profile(str(actor.subject_id), actor.actor_id, "own profile")
        return {**presenting.registration(state), "profile": shown(profile)}

    @routes.get("/volunteers/me/consents", responses=examples.CONSENTS)
    async def my_consents(
        actor: Annotated[Actor, Depends(require("volunteer"))],
        asked: Annotated[Page, Depends(page)],
        in_force: bool = True,
    ) -> dict[str, Any]:
        """我的同意 · my consents, those in force or all."""
        known = registration(await own(desk, actor))
        today = desk.today()
        held = () if known is None else known.consents
        listed = [each for each in held if not in_force or each.holds_on(today)]
        return presenting.slice_of(listed, asked, presenting.consent)

    @routes.get("/volunteers/me/transfers", responses=examples.TRANSFERS)
    async def my_transfers(
        actor: Annotated[Actor, Depends(require("volunteer"))],
        asked: Annotated[Page, Depends(page)],
    ) -> dict[str, Any]:
        """我的转移 · transfers of my dossier, by the highest stage heard of."""
        seen = await transfers_of(desk, _SEEN, str(actor.subject_id))
        return presenting.slice_of(seen, asked, lambda each: each)

    @routes.post("/volunteers/me/consents", status_code=201, responses=examples.CONSENT_GIVEN)
    async def give_consent(
        body: bodies.GiveConsentBody,
        context: Annotated[CommandContext, Depends(command("volunteer"))],
    ) -> Response:
        """同意 · GiveConsent, under the text in force."""
        state = registration(await own(desk, context.actor))
        assert state is not None
        wish = GiveConsent(
            **context.meta(),
            subject_id=state.subject_id,
            consent_id=secrets.token_hex(16),
            consent=body.asked(),
            rules=await desk.rules(state.residence_region),
        )

        def respond(decided: Decided) -> Answer:
            known = registration(decided.states[volunteer(wish.subject_id)])
            assert known is not None
            # Silence means that an equal one is in force: it is told instead.
            given = next(
                each
                for each in reversed(known.consents)
                if each.asked == wish.consent and each.withdrawn_at is None
            )
            return Answer(201, presenting.consent(given))

        return await submit(desk.ledger, wish, context, respond)

    @routes.post(
        "/volunteers/me/consents/{consent_id}/withdraw", responses=examples.CONSENT_WITHDRAWN
    )
    async def withdraw_consent(
        consent_id: ConsentId,
        context: Annotated[CommandContext, Depends(command("volunteer"))],
    ) -> Response:
        """撤回同意 · WithdrawConsent; it undoes nothing of the past."""
        wish = WithdrawConsent(
            **context.meta(), subject_id=str(context.actor.subject_id), consent_id=consent_id
        )

        def respond(decided: Decided) -> Answer:
            known = registration(decided.states[volunteer(wish.subject_id)])
            assert known is not None
            held = next(each for each in known.consents if each.consent_id == consent_id)
            return Answer(200, presenting.consent(held))

        return await submit(desk.ledger, wish, context, respond)

    @routes.get("/volunteers/to-verify", responses=examples.TO_VERIFY)
    async def to_verify(
        actor: Annotated[Actor, Depends(require(*REVIEWERS))],
        asked: Annotated[Page, Depends(page)],
    ) -> dict[str, Any]:
        """待核验 · people of my region whose document nobody has seen and no service matched."""
        return await _to_verify(desk, actor, asked)

    @routes.get("/volunteers/{subject_id}", responses=examples.REGISTRATION)
    async def one(
        subject_id: SubjectId, actor: Annotated[Actor, Depends(require("volunteer", *REVIEWERS))]
    ) -> dict[str, Any]:
        """登记信息 · a registration, to herself and the reviewers of her region."""
        state = await desk.state("volunteer", subject_id)
        known = registration(state)
        if known is None or not (
            actor.subject_id == subject_id or reviews(actor, known.residence_region)
        ):
            raise not_found()
        return presenting.registration(state)

    @routes.post(
        "/volunteers/{subject_id}/verifications", status_code=201, responses=examples.VERIFIED
    )
    async def verify(
        subject_id: SubjectId,
        body: bodies.VerificationBody,
        context: Annotated[CommandContext, Depends(command(*REVIEWERS))],
    ) -> Response:
        """核验 · RecordVerification: an officer has seen the document, or a check was answered."""
        wish = RecordVerification(
            **context.meta(), subject_id=subject_id, **body.model_dump(exclude_none=False)
        )
        return await submit(
            desk.ledger, wish, context, lambda decided: _registration(decided, subject_id, 201)
        )

    @routes.post("/volunteers/{subject_id}/holds", status_code=201, responses=examples.HELD)
    async def hold(
        subject_id: SubjectId,
        body: bodies.HoldBody,
        context: Annotated[CommandContext, Depends(command("city_reviewer", "province_reviewer"))],
    ) -> Response:
        """依法暂停 · PlaceHold: by law the dossier may not leave before that day (TR-305)."""
        state = registration(await desk.state("volunteer", subject_id))
        wish = PlaceHold(
            **context.meta(),
            subject_id=subject_id,
            code_id=state.codes[-1].code_id if state is not None and state.codes else None,
            hold=Hold(body.authority, body.until),
            decision_id=body.decision_id,
        )
        answer = Answer(201, {"subject_id": subject_id, "until": body.until.isoformat()})
        return await submit(desk.ledger, wish, context, lambda _: answer)

    return routes


async def asked_of(desk: Desk, body: bodies.PersonBody, context: CommandContext) -> Asked:
    """What registration and application have in common: digests, policies, and the check.

    The real-name service is asked only of what would otherwise be taken.
    """
    person = body.person()
    guardian = body.guardian_consent
    asked = Asked(
        person=person,
        keys=desk.vault.keys_of(person, desk.today()),
        residence_region=body.residence_region,
        consent=None if body.consent is None else body.consent.asked(),
        guardian_consent=None if guardian is None else guardian.consent(),
        consent_id=secrets.token_hex(16),
        guardian_consent_id=secrets.token_hex(16),
        check=None,
        rules=await desk.rules(body.residence_region),
    )
    if people.fault(asked, context.at) is not None:
        return asked
    return asked.checked(await desk.checker.person(person))


async def submit_registration(
    desk: Desk, wish: Any, context: CommandContext, respond: Any
) -> Response:
    """As ``submit``; ``AlreadyRegisteredHere`` gets the claim reference, made here."""
    request = LedgerRequest(digest=context.digest, respond=respond)
    outcome = await desk.ledger.submit(wish, request=request)
    if isinstance(outcome, AlreadyRegisteredHere):
        owners = await desk.states("document", [key.digest for key in wish.asked.keys])
        subjects = [each.subject_id for each in owners.values() if each.subject_id is not None]
        reference = desk.vault.claim_ref(subjects[0], context.at) if subjects else None
        raise refused(AlreadyRegisteredHere(reference))
    if isinstance(outcome, Rejection):
        raise of_rejection(outcome)
    assert isinstance(outcome, Accepted)
    return answered(outcome)


async def transfers_of(desk: Desk, statement: str, ref: str) -> list[dict[str, Any]]:
    """The transfers seen of a subject or an applicant, the latest first."""
    now = desk.clock.now()
    async with desk.database.reading() as connection:
        rows = await connection.fetch(statement, ref)
    return [presenting.transfer(state_of_text("transfer", row["state"]), now) for row in rows]


async def own(desk: Desk, actor: Actor) -> Any:
    """The registration of her who asks; 404 where there is none."""
    state = None if actor.subject_id is None else await desk.state("volunteer", actor.subject_id)
    if state is None:
        raise not_found()
    return state


async def _to_verify(desk: Desk, actor: Actor, asked: Page) -> dict[str, Any]:
    prefixes = [prefix_of(grant.region) for grant in actor.holding(*REVIEWERS) if grant.region]
    after = cursors.texts(asked, 2)
    async with desk.database.reading() as connection:
        rows = await connection.fetch(_TO_VERIFY, prefixes, after[0], after[1], asked.fetch)
    return page_of(rows, asked, _need, lambda row: (row["residence_region"], row["ref"]))


def _need(row: Any) -> dict[str, Any]:
    return {
        "ref": row["ref"],
        "kind": row["kind"],
        "residence_region": row["residence_region"],
        "verification": row["verification"],
        "last_result": row["last_result"],
        "by_hand": row["by_hand"],
        "registered_at": wire_exact(row["registered_at"]),
    }


def prefix_of(region: str) -> str:
    """The leading digits that every code of this region has."""
    if region[2:] == "0000":
        return region[:2]
    return region[:4] if region[4:] == "00" else region


def _registered(decided: Decided, subject_id: str) -> Answer:
    state = registration(decided.states[volunteer(subject_id)])
    assert state is not None
    return Answer(201, presenting.registered(state))


def _registration(decided: Decided, subject_id: str, status: int) -> Answer:
    return Answer(status, presenting.registration(decided.states[volunteer(subject_id)]))


def _claimed(decided: Decided, wish: ClaimRegistration) -> Answer:
    if any(isinstance(event, ClaimFailed) for event in decided.events):
        return Answer(409, {})
    return _registration(decided, wish.subject_id, 200)
