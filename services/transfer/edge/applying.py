"""How does a person's application become a request to another city? ``POST /transfers``.

Registry judges the person, this service the consent; the code passes through to registry alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.transfer.domain import commands, envelopes, rejections
from services.transfer.domain.certificates import KINDS
from services.transfer.domain.directory import Directory
from services.transfer.edge.directory import DirectoryFile
from services.transfer.edge.keys import Wrapping
from services.transfer.edge.registry import Proof, Registry, Unproved
from shared.clock import read, wire
from shared.messages import Rejection, Unreadable
from shared.postgres import Database
from shared.problems import Problem, field_is_wrong, not_found, of_rejection
from shared.requests import CommandContext

OFFICERS = ("station_worker", "county_reviewer", "city_reviewer", "node_operator")
# Clocks of browsers and of this city differ by less.
SKEW = timedelta(seconds=300)
_UNPROVED: Mapping[str, Rejection] = {
    "already-registered-here": rejections.AlreadyRegisteredHere(),
    "transfer-is-open": rejections.TransferIsOpen(),
    "identity-is-not-verified": rejections.IdentityIsNotVerified(),
    "guardian-consent-is-missing": rejections.GuardianConsentIsMissing(),
    "consent-text-is-stale": rejections.ConsentIsMissing(reason="text"),
}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What an application needs around it."""

    city: str
    database: Database
    directory: DirectoryFile
    registry: Registry
    wrapping: Wrapping


async def application(
    desk: Desk, context: CommandContext, body: Mapping[str, Any]
) -> commands.ApplyForTransfer:
    """The command of one application; raises ``Problem``.

    A repeat makes the same transfer id, so registry answers it again and the ledger too.
    """
    origin, applicant_ref = body["origin"], body["applicant_ref"]
    _judge_origin(desk.directory.current(), desk.city, origin)
    consent = _consent(body["consent"], origin, desk.city, applicant_ref, context.at)
    nonce = hashlib.sha256(b"jiexu-nonce" + context.command_id.bytes).hexdigest()[:32]
    transfer_id = envelopes.transfer_id(origin, desk.city, "move", applicant_ref, nonce)
    known = await _answered(desk, context)
    proof = Proof("0" * 32, "0" * 64)
    if not known:
        officer = context.actor.has(*OFFICERS)
        try:
            proof = await desk.registry.prove(
                applicant_ref,
                body["code"],
                transfer_id=transfer_id,
                origin=origin,
                destination=desk.city,
                actor_id=None if officer else context.actor.actor_id,
                consent=consent,
            )
        except Unproved as no:
            raise _problem(no) from None
    public, wrapped = desk.wrapping.fresh_seal(transfer_id)
    meta = context.meta() | {"correlation_id": transfer_id}
    return commands.ApplyForTransfer(
        **meta,
        transfer_id=transfer_id,
        role="destination",
        origin=origin,
        destination=desk.city,
        applicant_ref=applicant_ref,
        nonce=nonce,
        code_id=proof.code_id,
        proof=proof.proof,
        consent=consent,
        seal_key=public,
        wrapped_seal=wrapped,
    )


async def _answered(desk: Desk, context: CommandContext) -> bool:
    """Whether this very request was answered before: then the stored answer is given again."""
    async with desk.database.reading() as connection:
        found = await connection.fetchval(
            "SELECT true FROM answer WHERE command_id = $1", context.command_id
        )
    return bool(found)


def _judge_origin(directory: Directory, city: str, origin: str) -> None:
    node = directory.cities.get(origin)
    if node is None or origin == city or not node.active:
        raise of_rejection(rejections.OriginIsUnknown(origin=origin))


def _consent(
    given: Mapping[str, Any], origin: str, city: str, applicant_ref: str, at: datetime
) -> dict[str, Any]:
    """consent/1 as it will be signed; raises the refusal that it deserves."""
    try:
        given_at, expires_at = read(given["given_at"]), read(given["expires_at"])
    except Unreadable:
        raise field_is_wrong("consent.given_at", "form") from None
    if given_at > at + SKEW or expires_at <= at or expires_at <= given_at:
        raise of_rejection(rejections.ConsentIsMissing(reason="expired"))
    if not set(KINDS) <= set(given["kinds"]):
        # The dossier moves whole: a consent to a part of it is a consent to something else.
        raise of_rejection(rejections.ConsentIsMissing(reason="kinds"))
    if given["receiver"] != city or given["provider"] != origin or given["purpose"] != "move":
        raise of_rejection(rejections.ConsentIsMissing(reason="names_another"))
    guardian = given["guardian"]
    if guardian is not None and not guardian["verified"]:
        raise of_rejection(rejections.GuardianConsentIsMissing())
    return {
        "v": "consent/1",
        "text_id": given["text_id"],
        "text_digest": given["text_digest"],
        "provider": origin,
        "receiver": city,
        "purpose": "move",
        "kinds": list(given["kinds"]),
        "applicant_ref": applicant_ref,
        "given_at": wire(given_at),
        "expires_at": wire(expires_at),
        "channel": given["channel"],
        "guardian": None if guardian is None else dict(guardian),
    }


def _problem(no: Unproved) -> Problem:
    if no.slug == "not-found":
        return not_found()
    if no.slug == "field-is-wrong":
        return field_is_wrong(no.field or "code", "not_accepted")
    return of_rejection(_UNPROVED.get(no.slug) or rejections.ApplicationIsRefused(reason=no.slug))
