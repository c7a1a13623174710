"""What may the node's other services ask? Shapes and bounds alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.registry.edge.bodies import Body, City
from shared.requests.values import Day, Instant


class SoughtPerson(Body):
    """One line of an import: who is meant, and when her service began.

    Whatever stands in a sheet is taken: one odd line must not refuse its page of 500.
    """

    type: Annotated[str, Field(max_length=1000)] = "resident_id"
    number: Annotated[str, Field(max_length=1000)]
    name: Annotated[str, Field(max_length=1000)] | None = None
    started_on: Day
    country: Annotated[str, Field(max_length=1000)] | None = None


class ResolveBody(Body):
    """At most a page of 500."""

    persons: Annotated[list[SoughtPerson], Field(max_length=500)]


class TransferConsent(Body):
    """Of the consent to a move what registry judges: its text, its day, whether a guardian too."""

    text_id: Annotated[str, Field(max_length=100)]
    text_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    given_at: Instant
    guardian: bool


class ProofBody(Body):
    """What transfer asks for (protocol.md 6). ``actor_id``: the login that asked transfer, if
    it is to be the applicant's own."""

    applicant_ref: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    code: Annotated[str, Field(max_length=64)] | None = None
    transfer_id: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    suite: Literal["intl-1"] = "intl-1"
    origin: City
    destination: City
    actor_id: Annotated[str, Field(max_length=256)] | None = None
    consent: TransferConsent | None = None
