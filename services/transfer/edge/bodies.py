"""What may stand in the requests of people? Strict shapes; no member too many."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

City = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,30}$", examples=["500000"])]
Time = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", examples=["2027-03-01T01:55:00Z"]),
]
Kind = Literal[
    "service",
    "training",
    "commendation",
    "evaluation",
    "star",
    "complaint",
    "consumption",
    "donation",
    "adjustment",
]


class Body(BaseModel):
    """No member too many: what we do not know, we do not ignore."""

    model_config = ConfigDict(extra="forbid", strict=True)


class GuardianBody(Body):
    """Who consents for a minor; verified by registry or at the counter."""

    relation: str = Field(min_length=1, max_length=40, examples=["父亲"])
    verified: bool = Field(examples=[True])


class ConsentBody(Body):
    """本人同意 · the consent to one move: receiver, provider, purpose, kinds, and until when."""

    text_id: str = Field(min_length=1, max_length=100, examples=["consent-move"])
    text_digest: str = Field(pattern=r"^[0-9a-f]{64}$", examples=["7e3adfd4" * 8])
    provider: City
    receiver: Annotated[City, Field(examples=["510100"])]
    purpose: Literal["move"] = "move"
    kinds: list[Kind] = Field(min_length=1, max_length=9, examples=[list(get_args(Kind))])
    given_at: Time
    expires_at: Annotated[Time, Field(examples=["2027-03-31T01:55:00Z"])]
    channel: Literal["web", "app", "counter"] = Field(examples=["app"])
    guardian: GuardianBody | None = None


class ApplicationBody(Body):
    """转移申请 · an application at the new city, with the code shown by the old one."""

    applicant_ref: str = Field(
        pattern=r"^[0-9a-f]{32}$", examples=["65b2ce054cf80e9f1ca5c6edb487e95a"]
    )
    origin: City
    code: str = Field(min_length=26, max_length=64, examples=["621P2-DKNTV-1XNPM-C3YXK-2FQ4DV"])
    consent: ConsentBody
