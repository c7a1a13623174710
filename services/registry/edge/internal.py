"""/internal/v1: who is meant by a number and a name, and the proof that transfer sends."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from services.registry.domain import ages, identity
from services.registry.domain.applicants.commands import ProveIdentity
from services.registry.domain.applicants.state import Applied, Linked, application
from services.registry.domain.documents import DOCUMENT_TYPES, Document
from services.registry.domain.documents import judge as judge_document
from services.registry.domain.rejections import (
    ConsentTextIsStale,
    FieldIsWrong,
    GuardianConsentIsMissing,
    NotFound,
)
from services.registry.domain.volunteers.events import DocumentKey
from services.registry.domain.volunteers.state import registration
from services.registry.edge import bodies_internal as bodies
from services.registry.edge.desk import Desk, refused
from services.registry.edge.shelf import held
from services.registry.edge.vault import identities_of
from shared.clock import local_day
from shared.ids import request_command_id
from shared.internal_http import calls_from
from shared.messages import Rejection, system
from shared.problems import of_rejection

_KEPT = "SELECT code_id, sealed_key FROM application_code WHERE applicant_ref = $1"


def router(desk: Desk) -> APIRouter:
    """The routes for the node's other services."""
    routes = APIRouter()

    @routes.post("/persons/resolve")
    async def resolve(
        body: bodies.ResolveBody,
        caller: Annotated[str, Depends(calls_from("records", "transfer"))],
    ) -> dict[str, Any]:
        """Subjects by number and name, at most 500 a page, in the order asked."""
        return {"results": await resolved(desk, body.persons, f"service:{caller}")}

    @routes.post("/proofs")
    async def proofs(
        body: bodies.ProofBody, _: Annotated[str, Depends(calls_from("transfer"))]
    ) -> dict[str, Any]:
        """The judge of the person: {code_id, proof}, or why not (protocol.md 6)."""
        return await proved(desk, body)

    return routes


async def resolved(
    desk: Desk, persons: list[bodies.SoughtPerson], actor_id: str
) -> list[dict[str, Any]]:
    """``{subject_id}``, or ``{reason}``: unknown, name_differs, before_birth."""
    keys = [_key(desk, each) for each in persons]
    owners = await desk.states("document", [key.digest for key in keys if key is not None])
    subjects = {
        key.digest: owners[key.digest].subject_id
        for key in keys
        if key is not None and key.digest in owners
    }
    known = sorted({subject for subject in subjects.values() if subject is not None})
    volunteers = await desk.states("volunteer", known)
    profiles = await desk.profiles(known, actor_id, "resolve persons of an import")
    results = []
    for sought, key in zip(persons, keys, strict=True):
        subject = None if key is None else subjects.get(key.digest)
        state = None if subject is None else registration(volunteers.get(subject))
        if key is None or subject is None or state is None:
            results.append({"reason": "unknown"})
        elif sought.name is not None and not any(own.matches(key) for own in state.documents):
            results.append({"reason": "name_differs"})
        elif subject in profiles and sought.started_on < profiles[subject].person.birth_date:
            results.append({"reason": "before_birth"})
        else:
            results.append({"subject_id": subject})
    return results


async def proved(desk: Desk, body: bodies.ProofBody) -> dict[str, Any]:
    """Decided by the ledger; the proof itself is made from the vault, and nothing of it kept."""
    state = await desk.state("applicant", body.applicant_ref)
    who = application(state)
    if who is not None and body.actor_id not in (None, who.login_id):
        raise refused(NotFound())
    if body.consent is not None and isinstance(who, Applied):
        await _judge_consent(desk, who, body.consent)
    code = None
    if body.code is not None:
        code = identity.read_code(body.code)
        if code is None:
            raise refused(FieldIsWrong("code", "form"))
    documents = () if who is None else tuple(key.digest for key in who.documents)
    if isinstance(state, Linked):
        documents = tuple(key.digest for key in state.documents)
    outcome = await desk.ledger.submit(
        ProveIdentity(
            command_id=request_command_id("service:transfer", "proofs", body.transfer_id),
            actor=system("registry"),
            at=desk.clock.now(),
            correlation_id=body.transfer_id,
            applicant_ref=body.applicant_ref,
            transfer_id=body.transfer_id,
            code_id=None if code is None else identity.code_id(code),
            documents=documents,
            code_key=None if code is None else identity.code_key(code),
        )
    )
    if isinstance(outcome, Rejection):
        raise of_rejection(outcome)
    code_id, key = await _kept(desk, body.applicant_ref)
    profile = await desk.profile(body.applicant_ref, "service:transfer", "proof of identity")
    # Her first document that has identity bytes: the origin tries all of hers.
    identities = identities_of(profile.person)
    if not identities:
        raise refused(FieldIsWrong("documents", "no_identity"))
    proof = identity.proof(key, body.transfer_id, body.origin, body.destination, identities[0])
    return {"code_id": code_id, "proof": proof}


async def _judge_consent(desk: Desk, who: Applied, given: bodies.TransferConsent) -> None:
    """The text in force on its day, in any of its languages; under 18 a guardian's besides."""
    day = local_day(given.given_at)
    async with desk.database.reading() as connection:
        texts = await held(connection, ("consent_text",), day, who.residence_region)
    text = next((each for each in texts if each.content["purpose"] == "transfer"), None)
    if text is None or (given.text_id, given.text_digest) not in {
        (text.published.policy_id, sha256(words.encode()).hexdigest())
        for words in text.content["texts"].values()
    }:
        known = text.published if text else None
        raise refused(
            ConsentTextIsStale(
                known.policy_id if known else None, known.version if known else None
            )
        )
    profile = await desk.profile(who.applicant_ref, "service:transfer", "age for a consent")
    if ages.age_on(day, profile.person.birth_date) < ages.ADULT_FROM and not given.guardian:
        raise refused(GuardianConsentIsMissing())


async def _kept(desk: Desk, applicant_ref: str) -> tuple[str, bytes]:
    async with desk.database.reading() as connection:
        row = await connection.fetchrow(_KEPT, applicant_ref)
    if row is None:
        raise refused(FieldIsWrong("code", "missing"))
    return row["code_id"], desk.vault.open_code_key(row["code_id"], row["sealed_key"])


def _key(desk: Desk, sought: bodies.SoughtPerson) -> DocumentKey | None:
    kind = next((each for each in DOCUMENT_TYPES if each == sought.type), None)
    if kind is None:
        return None
    document = Document(kind, sought.number, sought.country)
    today = desk.today()
    if judge_document(document, today, historical=True).reason is not None:
        return None
    return desk.vault.key_of(document, sought.name or "", today, historical=True)
