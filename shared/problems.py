"""How does a no leave over HTTP? RFC 9457 problem documents, Chinese or English.

The one place that knows which status an outcome has. Nothing of the input is ever echoed.
"""

from __future__ import annotations

import json
import re
import traceback
import uuid
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.messages import Rejection, Unavailable, Unreadable

Language = Literal["zh", "en"]

STATUS_BY_NATURE: Final[Mapping[str, int]] = {
    "rule": 409,
    "authority": 403,
    "field": 422,
    "absent": 404,
}
# A fact of a neighbour arrives within moments, or within minutes while something is down.
RETRY_WAITING_SECONDS: Final = 2
# What a Chinese sentence says of a code that has no term of its own.
OTHER: Final = "其他情形"
# More wrong fields than anybody reads at once.
MAX_ERRORS: Final = 20

_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


# Not frozen: contextlib sets __traceback__ on exceptions that pass through it.
@dataclass(kw_only=True, eq=False)
class Problem(Exception):
    """An answer that is no success; ``zh`` and ``en`` say the reason, then the remedy."""

    status: int
    slug: str
    zh: str
    en: str
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.slug}"


def of_rejection(rejection: Rejection) -> Problem:
    """409, 403, 422 or 404 by its nature; Retry-After where it waits."""
    members = rejection.members()
    codes = {name: str(members[name]) for name in rejection.terms}
    chinese = {name: rejection.terms[name].get(code, OTHER) for name, code in codes.items()}
    english = {name: code.replace("_", " ") for name, code in codes.items()}
    headers = {"Retry-After": str(RETRY_WAITING_SECONDS)} if rejection.waits else {}
    return Problem(
        status=STATUS_BY_NATURE[rejection.nature],
        slug=rejection.slug(),
        zh=_fill(rejection.zh, members | chinese),
        en=_fill(rejection.en, members | english),
        members=members,
        headers=headers,
    )


def not_found() -> Problem:
    """The same for what does not exist and for what the caller may not know of."""
    return Problem(
        status=404,
        slug="not-found",
        zh="没有这一资源，或您无权查看。请核对地址和编号，或以有权查看的身份登录。",
        en="There is no such resource, or you may not see it. Check address and id, or sign in as "
        "someone who may.",
    )


def field_is_wrong(name: str, reason: str) -> Problem:
    """422 for one member of body, path or query; ``reason`` is a word of ours, never a value."""
    return Problem(
        status=422,
        slug="field-is-wrong",
        zh=f"字段 {name} 有误。请改正后重试。",
        en=f"The field {name} is wrong. Correct it and try again.",
        members={"field": name, "reason": reason},
    )


def body_is_unreadable() -> Problem:
    return Problem(
        status=422,
        slug="body-is-unreadable",
        zh="无法读取请求内容。请以 UTF-8 编码的 JSON 重新提交。",
        en="The request body cannot be read. Send it as JSON in UTF-8.",
    )


def too_large(limit_bytes: int) -> Problem:
    return Problem(
        status=413,
        slug="too-large",
        zh="请求内容过大。请分次提交。",
        en="The request body is too large. Send it in parts.",
        members={"limit_bytes": limit_bytes},
    )


def unavailable(retry_after_seconds: int = 1) -> Problem:
    """503: a neighbour, the broker or the database is away for now."""
    return Problem(
        status=503,
        slug="unavailable",
        zh="服务暂时不可用。请稍后重试。",
        en="The service is unavailable for now. Try again later.",
        headers={"Retry-After": str(retry_after_seconds)},
    )


def internal() -> Problem:
    return Problem(
        status=500,
        slug="internal",
        zh="服务内部错误，已记录。请稍后重试。",
        en="Something went wrong on our side and has been recorded. Try again later.",
    )


def token_is_missing() -> Problem:
    return Problem(
        status=401,
        slug="token-is-missing",
        zh="请求未携带令牌。请登录后重试。",
        en="The request carries no token. Sign in and try again.",
        headers={"WWW-Authenticate": 'Bearer realm="jiexu"'},
    )


def token_is_wrong() -> Problem:
    """One answer for every fault of a token, so that nobody learns which check it failed."""
    return Problem(
        status=401,
        slug="token-is-wrong",
        zh="令牌无效或已过期。请重新登录。",
        en="The token is not valid or has expired. Sign in again.",
        headers={"WWW-Authenticate": 'Bearer realm="jiexu", error="invalid_token"'},
    )


def actor_may_not() -> Problem:
    return Problem(
        status=403,
        slug="actor-may-not",
        zh="您的身份无权进行此操作。请由有权办理的人员办理，或以相应身份登录后重试。",
        en="Your role does not allow this. Ask someone who may, or sign in as such.",
    )


def language_of(request: Request) -> Language:
    """``zh`` or ``en`` by Accept-Language; zh where neither is asked for."""
    best: Language = "zh"
    best_weight = 0.0
    for item in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, parameters = item.strip().partition(";")
        name = tag.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        if name in ("zh", "en") and weight > best_weight:
            best, best_weight = ("en" if name == "en" else "zh"), weight
    return best


def response(problem: Problem, language: Language, instance: str | None = None) -> Response:
    """The document ``{type, title, status, detail, instance, …members}``.

    ``title`` is the first sentence of ``detail``; ``instance`` a random id that the log knows.
    """
    detail = problem.zh if language == "zh" else problem.en
    document = {
        **jsonable_encoder(problem.members),
        "type": f"urn:jiexu:problem:{problem.slug}",
        "title": _first_sentence(detail),
        "status": problem.status,
        "detail": detail,
        "instance": instance or f"urn:uuid:{uuid.uuid4()}",
    }
    return Response(
        json.dumps(document, ensure_ascii=False),
        status_code=problem.status,
        media_type="application/problem+json",
        headers={**problem.headers, "Content-Language": language},
    )


def install(app: FastAPI) -> None:
    """Makes every failure of this application a problem document."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return response(error, language_of(request))

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return response(of_validation(error), language_of(request))

    async def unreadable(request: Request, error: Exception) -> Response:
        return response(body_is_unreadable(), language_of(request))

    async def away(request: Request, error: Exception) -> Response:
        assert isinstance(error, Unavailable)
        return response(unavailable(error.retry_after_seconds), language_of(request))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return response(_of_status(error.status_code, error.headers), language_of(request))

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(Unreadable, unreadable)
    app.add_exception_handler(Unavailable, away)
    app.add_exception_handler(HTTPException, http)
    app.add_middleware(_Defects)


class _Defects:
    """Answers 500 to whatever no handler foresaw, inside the application.

    Starlette's own handler raises the exception again after its answer, and the server then logs
    its text, which may quote a value: only its type and place may be logged.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the last resort of a request
            instance = f"urn:uuid:{uuid.uuid4()}"
            structlog.get_logger(__name__).error(
                "request.defect",
                instance=instance,
                route=route_of(scope),
                error=type(error).__name__,
                place=_innermost(error),
            )
            if begun:
                # Too late for another answer: the server closes the connection.
                raise RuntimeError("a response broke off") from None
            answer = response(internal(), language_of(Request(scope)), instance)
            await answer(scope, receive, send)


def route_of(scope: Scope) -> str:
    """The matched route with its prefixes and parameter names, never values; ``none`` before."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "none"
    # FastAPI leaves the path without the prefixes of including routers there.
    whole, own = scope["path"].rstrip("/").split("/"), path.rstrip("/").split("/")
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    prefix = whole[: max(0, len(whole) - len(own) + 1)]
    return "/".join([names.get(part, part) for part in prefix] + own[1:]) or "/"


def of_validation(error: RequestValidationError) -> Problem:
    """422 with places and rules only: pydantic's own texts quote the input."""
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return body_is_unreadable()
    wrong = [
        {"field": _place(item["loc"], item["type"]), "reason": item["type"]}
        for item in errors[:MAX_ERRORS]
    ]
    problem = field_is_wrong(wrong[0]["field"], wrong[0]["reason"])
    problem.members = {**problem.members, "errors": wrong}
    return problem


def _place(parts: tuple[int | str, ...], rule: str) -> str:
    # The name of an unknown member is the caller's word, perhaps a person's name: its parent's.
    known = parts[:-1] if rule == "extra_forbidden" else parts
    named = [str(p) if isinstance(p, int) or _PLAIN_NAME.fullmatch(p) else "?" for p in known]
    if len(named) > 1 and named[0] in ("body", "query", "path", "header"):
        named = named[1:]
    return ".".join(named)


def _of_status(status: int, headers: Mapping[str, str] | None) -> Problem:
    if status == 404:
        return not_found()
    if status == 401:
        return token_is_missing()
    if status == 403:
        return actor_may_not()
    if status == 503:
        return unavailable()
    if status >= 500:
        return internal()
    known = {
        405: (
            "method-not-allowed",
            "此地址不支持该方法。请查阅接口文档后重试。",
            "This method is not allowed here. See the API documents and try again.",
        ),
        415: (
            "unsupported-media",
            "不支持此内容类型。请以 JSON 提交。",
            "This media type is not supported. Send JSON.",
        ),
    }
    bad_request = (
        "bad-request",
        "请求有误，无法理解。请查阅接口文档后重试。",
        "The request cannot be understood. See the API documents and try again.",
    )
    slug, zh, en = known.get(status, bad_request)
    return Problem(status=status, slug=slug, zh=zh, en=en, headers=dict(headers or {}))


def _fill(text: str, members: Mapping[str, Any]) -> str:
    return text.format_map(members) if "{" in text else text


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=。)|(?<=[.;:])\s", text, maxsplit=1)[0].rstrip("。.;:")


def _innermost(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"


def _weight(parameters: str) -> float:
    match = re.search(r"q\s*=\s*([01](?:\.[0-9]{1,3})?)", parameters)
    return float(match[1]) if match else 1.0
