"""Who asks, and may they? Node tokens, foreign logins, and the guard of every route."""

from __future__ import annotations

from shared.auth.oidc import OidcIssuer, OidcVerifier
from shared.auth.routes import (
    Guard,
    Require,
    any_token,
    public,
    require,
    routes_of,
    routes_without_guard,
    strong_login_is_needed,
)
from shared.auth.tokens import (
    AUDIENCE,
    LIFETIME,
    NOBODY,
    Caller,
    TokenIsWrong,
    TokenVerifier,
    issue_token,
    sign_claims,
    verified_claims,
)

__all__ = [
    "AUDIENCE",
    "LIFETIME",
    "NOBODY",
    "Caller",
    "Guard",
    "OidcIssuer",
    "OidcVerifier",
    "Require",
    "TokenIsWrong",
    "TokenVerifier",
    "any_token",
    "issue_token",
    "public",
    "require",
    "routes_of",
    "routes_without_guard",
    "sign_claims",
    "strong_login_is_needed",
    "verified_claims",
]
