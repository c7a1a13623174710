"""How does transfer ask registry, the judge of the person, for a proof? (5.1)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.internal_http import InternalClient, Refused

PROOFS = "/internal/v1/proofs"
SUITE = "intl-1"


@dataclass(frozen=True, slots=True)
class Proof:
    """What M1 carries of code and person; neither can be read from it."""

    code_id: str
    proof: str


class Unproved(Exception):
    """Registry would not: the slug of its problem (``transfer-is-open``), and the field if any."""

    def __init__(self, slug: str, field: str | None) -> None:
        super().__init__(slug)
        self.slug = slug
        self.field = field


class Registry:
    """Asks this node's registry; the code passes through and is never kept or logged here."""

    def __init__(self, client: Callable[[], InternalClient]) -> None:
        self._client = client

    async def prove(
        self,
        applicant_ref: str,
        code: str | None,
        *,
        transfer_id: str,
        origin: str,
        destination: str,
        actor_id: str | None,
        consent: Mapping[str, Any] | None = None,
    ) -> Proof:
        """Raises ``Unproved`` or ``Unavailable``. The same transfer gets the same answer again.

        ``actor_id``: the login that asks, if the application must be its own; None: an officer.
        ``consent``: consent/1 of a first attempt; registry judges its text and her age.
        """
        try:
            found = await self._client().post(
                PROOFS,
                {
                    "applicant_ref": applicant_ref,
                    "code": code,
                    "transfer_id": transfer_id,
                    "suite": SUITE,
                    "origin": origin,
                    "destination": destination,
                    "actor_id": actor_id,
                    "consent": None
                    if consent is None
                    else {
                        "text_id": consent["text_id"],
                        "text_digest": consent["text_digest"],
                        "given_at": consent["given_at"],
                        "guardian": consent["guardian"] is not None,
                    },
                },
            )
        except Refused as no:
            field = no.problem.get("field")
            raise Unproved(no.slug, field if isinstance(field, str) else None) from None
        return Proof(found["code_id"], found["proof"])
