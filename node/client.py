"""How does the command ask a service, and what does it make of a no?"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from node.terminal import Exit, Failure, language

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# What comes with Retry-After is asked again for so long: a fact of a neighbour is under way, a
# service restarts. Then the answer stands.
PATIENCE_SECONDS = 30.0
MAX_PAUSE_SECONDS = 5.0


class ServiceRefused(Failure):
    """A service said no: its problem document (RFC 9457), in the language asked for."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        title, detail = str(problem.get("title") or status), str(problem.get("detail") or "")
        # A detail often begins with what the title says.
        text = detail if detail.startswith(title.rstrip("。.")) else f"{title}: {detail}"
        text = text.rstrip(": ")
        field = str(problem.get("field") or "")
        if field and field not in text:
            text = f"{text} ({field})"
        super().__init__(Exit.UNAVAILABLE if status == 503 else Exit.REFUSED, text, text)

    @property
    def slug(self) -> str:
        """``already-registered-here``; empty where the answer was no problem document."""
        return str(self.problem.get("type", "")).removeprefix("urn:jiexu:problem:")


class Api:
    """One service's API, asked as one actor.

    ``token`` is called for every request, so that it may renew itself. ``patience``: for how long
    an answer that says "try again" is tried again.
    """

    def __init__(self, base_url: str, token: Callable[[], str] | None = None, *,
                 patience_seconds: float = PATIENCE_SECONDS,
                 accept_language: str | None = None, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=timeout, trust_env=False)
        self._token = token
        self._patience = patience_seconds
        self._language = accept_language

    def get(self, path: str, *, patient: bool = True, **query: Any) -> Any:
        """The answer's JSON. Raises ``ServiceRefused``, or ``Failure`` when nobody answers."""
        return self._ask("GET", path, query, None, None, patient).json()

    def post(self, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None,
             key: str | None = None, patient: bool = True,
             accept_language: str | None = None) -> Any:
        """Posts once in effect: every try carries the same Idempotency-Key."""
        answer = self._ask("POST", path, query or {}, {} if body is None else body,
                           key or str(uuid.uuid4()), patient, accept_language)
        return answer.json() if answer.content else None

    def pages(self, path: str, **query: Any) -> list[Any]:
        """Every item of a paginated list."""
        items: list[Any] = []
        after = None
        while True:
            page = self.get(path, limit=200, **query, **({"after": after} if after else {}))
            items += page["items"]
            if (after := page["next"]) is None:
                return items

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, query: Mapping[str, Any], body: Any,
             key: str | None, patient: bool,
             accept_language: str | None = None) -> httpx.Response:
        deadline = time.monotonic() + (self._patience if patient else 0)
        pause = 0.2
        while True:
            headers = {"Accept-Language": accept_language or self._language or language()}
            if self._token is not None:
                headers["Authorization"] = f"Bearer {self._token()}"
            if key is not None:
                headers["Idempotency-Key"] = key
            try:
                answer = self._client.request(method, path, params=dict(query), json=body,
                                              headers=headers)
            except httpx.TransportError as problem:
                if time.monotonic() + pause > deadline:
                    raise Failure(
                        Exit.UNAVAILABLE, f"{self._client.base_url}{path} 没有应答",
                        f"{self._client.base_url}{path} does not answer "
                        f"({type(problem).__name__})") from None
            else:
                if answer.is_success:
                    return answer
                refused = ServiceRefused(answer.status_code, _problem(answer))
                again = "retry-after" in answer.headers and answer.status_code in (409, 503)
                if not again or time.monotonic() + pause > deadline:
                    raise refused
            time.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"title": f"HTTP {answer.status_code}"}
