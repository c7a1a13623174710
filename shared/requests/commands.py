"""How does a POST take effect once? Its command id, its digest, and the stored answer."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Header, Request
from fastapi.responses import Response

from shared.auth import Guard
from shared.ids import request_command_id
from shared.ledger import Accepted, Answer, Decided, LedgerApi
from shared.ledger import Request as LedgerRequest
from shared.messages import Actor, Command, Rejection
from shared.problems import Language, Problem, field_is_wrong, language_of, of_rejection, route_of

# A UUID has 36; whoever makes keys of several parts finds room.
MAX_KEY_CHARACTERS: Final = 128
KEY_HEADER: Final = "Idempotency-Key"
# What is sent where nothing is asked for: many clients send an object with every POST.
EMPTY: Final = (b"", b"{}")
_KEY = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a request brings beside its body. ``meta()`` is what every command needs of it.

    ``digest``: HMAC-SHA256 of method, path, query and body under the service's digest key; a plain
    hash of a personal value is never kept.
    """

    actor: Actor
    command_id: UUID
    at: datetime
    digest: bytes
    language: Language
    strong: bool = False

    def meta(self) -> dict[str, Any]:
        """``RegisterVolunteer(**context.meta(), …)``: command_id, actor, at, correlation_id."""
        return {
            "command_id": self.command_id,
            "actor": self.actor,
            "at": self.at,
            "correlation_id": str(self.command_id),
        }


class Commanding(Guard):
    """The dependency of a route that commands: lets in as ``require`` does, gives the context."""

    async def __call__(
        self,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                alias=KEY_HEADER,
                description="同一请求重试时保持不变 · the same for every retry of one request",
                examples=["5f0c1d3e-2f0b-4a53-9d2e-0b8f4c1f7a11"],
            ),
        ] = None,
    ) -> CommandContext:
        caller = self.admit(request)
        if idempotency_key is None:
            raise idempotency_key_is_missing()
        if not _KEY.fullmatch(idempotency_key):
            raise field_is_wrong(KEY_HEADER, "not_1_to_128_visible_ascii_characters")
        if not _takes_body(request) and b"".join((await request.body()).split()) not in EMPTY:
            # The path says it all: whatever member is sent is one too many.
            raise field_is_wrong("body", "extra_forbidden")
        route = f"{request.method} {route_of(request.scope)}"
        # Without a token there is no actor to tell the keys of two callers apart: the key does.
        return CommandContext(
            actor=caller.actor,
            command_id=request_command_id(caller.actor.actor_id, route, idempotency_key),
            at=request.app.state.clock.now(),
            digest=await request_digest(request, request.app.state.digest_key),
            language=language_of(request),
            strong=caller.strong,
        )


def _takes_body(request: Request) -> bool:
    return getattr(request.scope.get("route"), "body_field", None) is not None


def command(*roles: str, strong: bool = False) -> Commanding:
    """``context: Annotated[CommandContext, Depends(command("recorder"))]``.

    Lets in who holds one of the roles; without roles, any valid token. Every POST has it.
    """
    return Commanding(frozenset(roles) or None, strong=strong)


async def submit(
    ledger: LedgerApi,
    wish: Command,
    context: CommandContext,
    respond: Callable[[Decided], Answer],
    *,
    secret: bool = False,
) -> Response:
    """Gives the command to the ledger and turns its outcome into the response.

    ``respond`` makes the answer that is stored with the command and told to every repeat;
    ``secret``: it holds what is shown once, so only status and id are stored. Raises ``Problem``
    for a rejection.
    """
    request = LedgerRequest(digest=context.digest, respond=respond, secret=secret)
    outcome = await ledger.submit(wish, request=request)
    if isinstance(outcome, Rejection):
        raise of_rejection(outcome)
    return answered(outcome)


def answered(outcome: Accepted) -> Response:
    """The stored answer as a response; a repeat of it says so in ``Idempotent-Replayed``."""
    assert outcome.answer is not None, "a request is always answered"
    headers = {"Idempotent-Replayed": "true"} if outcome.repeated else {}
    return Response(
        json.dumps(dict(outcome.answer.body), ensure_ascii=False),
        status_code=outcome.answer.status,
        media_type="application/json",
        headers=headers,
    )


async def request_digest(request: Request, key: bytes) -> bytes:
    """The keyed digest by which a repeat is known to be the same request."""
    code = hmac.new(key, digestmod=sha256)
    for part in (
        request.method.encode("ascii"),
        request.url.path.encode("utf-8"),
        request.url.query.encode("utf-8"),
        await request.body(),
    ):
        code.update(len(part).to_bytes(8, "big") + part)
    return code.digest()


def idempotency_key_is_missing() -> Problem:
    return Problem(
        status=400,
        slug="idempotency-key-is-missing",
        zh="缺少 Idempotency-Key 请求头。请为每次请求生成一个新的键，重试时保持不变。",
        en="The header Idempotency-Key is missing. Make a new one for each request and keep it "
        "for its retries.",
    )
