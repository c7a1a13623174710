"""May this caller use this route? The dependency that every route must have; default deny."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import iter_route_contexts
from fastapi.security.base import SecurityBase
from starlette.routing import BaseRoute, Mount

from shared.auth.tokens import NOBODY, ROLE, Caller, TokenIsWrong, TokenVerifier
from shared.messages import Actor
from shared.problems import Problem, actor_may_not, token_is_missing, token_is_wrong


class Guard(SecurityBase):
    """What every route's dependency has: who is let in.

    ``roles`` None: any valid token. ``public``: everybody, with or without a token. As a
    ``SecurityBase`` it appears in the OpenAPI document.
    """

    def __init__(self, roles: frozenset[str] | None, *, strong: bool, public: bool = False) -> None:
        if roles is not None and not all(map(ROLE.fullmatch, roles)):
            raise ValueError("a role is a lower-case word")
        self.roles = roles
        self.strong = strong
        self.public = public
        self.model = HTTPBearer(bearerFormat="JWT", description="节点令牌 · node token")
        self.scheme_name = "node-token"

    def admit(self, request: Request) -> Caller:
        """The caller, if let in; raises the ``Problem`` to answer with."""
        caller = self._caller(request)
        if self.public:
            return caller
        if self.roles is not None and not caller.actor.has(*self.roles):
            raise actor_may_not()
        if self.strong and not caller.strong:
            raise strong_login_is_needed()
        return caller

    def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            if self.public:
                return NOBODY
            raise token_is_missing()
        verifier: TokenVerifier = request.app.state.verifier
        try:
            return verifier.verify(token.strip())
        except TokenIsWrong:
            raise token_is_wrong() from None


class Require(Guard):
    """Lets in and gives the ``Actor``; of a public route without a token, one without an id."""

    async def __call__(self, request: Request) -> Actor:
        return self.admit(request).actor


def require(*roles: str, strong: bool = False) -> Require:
    """Lets in who holds one of these roles, wherever; the decider judges the where."""
    if not roles:
        raise ValueError("a route needs the names of its roles, or any_token or public")
    return Require(frozenset(roles), strong=strong)


def any_token(*, strong: bool = False) -> Require:
    """Lets in whoever has a valid token of this node."""
    return Require(None, strong=strong)


def public() -> Require:
    """Lets everybody in, and says so: a route without a word on this does not start."""
    return Require(None, strong=False, public=True)


def strong_login_is_needed() -> Problem:
    return Problem(
        status=403,
        slug="strong-login-is-needed",
        zh="此操作需要更高强度的身份认证。请以强认证方式重新登录。",
        en="This needs a stronger sign-in. Sign in again by a strong means.",
    )


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, Guard | None]]:
    """Every (method, path, guard) of an application, those of its routers and mounts included."""
    yield from _routes(app.routes, "")


def routes_without_guard(app: FastAPI) -> tuple[str, ...]:
    """``GET /path`` of each route that nobody guards. A process with any refuses to start."""
    return tuple(f"{method} {path}" for method, path, guard in routes_of(app) if guard is None)


def _routes(routes: Sequence[BaseRoute], prefix: str) -> Iterator[tuple[str, str, Guard | None]]:
    for found in iter_route_contexts(routes):
        path = prefix + (found.path or "?")
        if isinstance(found.original_route, Mount):
            yield from _routes(found.original_route.routes, path)
            continue
        dependant = getattr(found, "dependant", None)
        guard = _guard(dependant) if isinstance(dependant, Dependant) else None
        for method in sorted(found.methods or {"*"}):
            yield method, path, guard


def _guard(dependant: Dependant) -> Guard | None:
    if isinstance(dependant.call, Guard):
        return dependant.call
    return next(filter(None, map(_guard, dependant.dependencies)), None)
