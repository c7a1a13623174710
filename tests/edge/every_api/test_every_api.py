"""Does every API of every service answer whatever it is sent, and say what it takes?

The services' own assembly on a real database; requests are made up from the OpenAPI documents.
"""

from __future__ import annotations

import asyncio
import importlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import Case

from node import layout, making
from shared.auth import issue_token
from shared.clock import SystemClock
from shared.ledger import Gate, Ledger
from shared.messages import Grant
from shared.postgres import migrate
from shared.roles import Parts, Service, gather
from shared.roles.servers import Listener
from shared.settings import load
from shared.signing import load_signing_key
from tests.support.documented import examples_of
from tests.support.house import SERVICES
from tests.support.infrastructure import free_port

NODE = "500000"
ROLES = (
    *("login", "volunteer", "guardian", "near_relative", "recorder", "approver", "org_admin"),
    *("station_worker", "social_worker", "county_reviewer", "city_reviewer"),
    *("province_reviewer", "node_operator", "auditor"),
)
EXAMPLES_PER_OPERATION = 8


@dataclass
class Served:
    """One service's API on a port, in a thread of its own, with its writes open."""

    name: str
    url: str
    document: dict[str, Any]
    token: str

    def headers(self) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.token}",
            "idempotency-key": str(uuid.uuid4()),
            "accept-language": "en",
        }


class _Home:
    """Runs a service's API on its own loop and thread until closed."""

    def __init__(self, service: Service, url: str) -> None:
        self._service = service
        self._url = url
        self.ready: Future[tuple[int, dict[str, Any]]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    async def _run(self) -> None:
        try:
            await migrate(self._url, self._service.name, self._service.migrations)
            parts = gather(self._service, "api")
            async with parts.http, parts.database:
                await self._serve(parts)
        except BaseException as error:
            if self.ready.done():
                raise
            self.ready.set_exception(error)

    async def _serve(self, parts: Parts) -> None:
        ledger = Ledger(parts.database, self._service.domain(parts), gate=Gate())
        parts.give_ledger(ledger)
        if self._service.provision is not None:
            await self._service.provision(parts)
        api = self._service.api(parts)
        self._listener = Listener("api", api, "127.0.0.1", 0)
        self.ready.set_result((self._listener.port, api.openapi()))
        await self._listener.run()
        self._listener.close()
        await ledger.close()

    def close(self) -> None:
        if not self.ready.exception():
            self._listener.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def served(
    service_name: str, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    at = datetime.now(UTC)
    # A base of its own: at the usual ports a real node may stand on this machine.
    making.make(tmp_path, NODE, "重庆", at=at, base_port=free_port())
    making.sign(tmp_path, tmp_path / "office", at)
    node = layout.load(tmp_path / NODE)
    for name, value in node.environment(service_name, database).items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module(f"services.{service_name}.wiring")
    kind = importlib.import_module(f"services.{service_name}.__main__")
    settings_kind = next(
        value
        for value in vars(kind).values()
        if isinstance(value, type) and value.__name__.endswith("Settings")
    )
    home = _Home(module.assemble(load(settings_kind)), database)
    try:
        port, document = home.ready.result(60)
        grants = [Grant(role) for role in ROLES]
        grants += [Grant(role, organisation_id="org-1") for role in ROLES]
        grants += [Grant(role, region="500000") for role in ROLES]
        token = issue_token(
            load_signing_key(node.keys / "registry" / "token.key"),
            NODE,
            "somebody",
            grants,
            "5" * 32,
            "strong",
            clock=SystemClock(),
        )
        yield Served(service_name, f"http://127.0.0.1:{port}", document, token)
    finally:
        home.close()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize("service_name", SERVICES)
def test_every_request_whatever_is_answered_or_refused_by_a_problem(served: Served) -> None:
    schema = schemathesis.openapi.from_dict(served.document)
    told: dict[str, set[int]] = {}
    with httpx.Client(base_url=served.url, trust_env=False, timeout=20) as client:
        for result in schema.get_all_operations():
            operation = result.ok()
            name = f"{operation.method.upper()} {operation.path}"
            told[name] = set()
            run = settings(
                max_examples=EXAMPLES_PER_OPERATION,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(given(case=operation.as_strategy())(_asking(served, client, told[name])))
            run()
    assert told
    assert all(told.values())


def _asking(served: Served, client: httpx.Client, told: set[int]) -> Callable[[Case], None]:
    def ask(case: Case) -> None:
        _ask(served, client, told, case)

    return ask


def _ask(served: Served, client: httpx.Client, told: set[int], case: Case) -> None:
    sent = case.as_transport_kwargs(base_url=served.url)
    answer = client.request(
        sent["method"],
        sent["url"],
        params=sent.get("params"),
        json=sent.get("json"),
        content=sent.get("data"),
        headers={"content-type": case.media_type or "application/json", **served.headers()},
    )
    told.add(answer.status_code)
    where = f"{served.name}: {case.as_curl_command()} was answered {answer.status_code}"
    assert answer.status_code < 500 or answer.status_code == 503, where
    if not answer.is_success:
        assert answer.headers["content-type"] == "application/problem+json", where
        problem = answer.json()
        assert {"type", "title", "status", "detail", "instance"} <= problem.keys(), where
        assert problem["type"].startswith("urn:jiexu:problem:"), where


@pytest.mark.parametrize("service_name", SERVICES)
def test_every_operation_says_what_it_does_and_shows_an_example(served: Served) -> None:
    wrong = []
    for name, operation in operations(served.document):
        if not operation.get("summary") or not (
            operation.get("description") or "·" in operation["summary"]
        ):
            wrong.append(f"{name} says too little of itself")
        names = {parameter["name"] for parameter in operation.get("parameters", ())}
        if name.startswith("POST") and "Idempotency-Key" not in names:
            wrong.append(f"{name} takes no Idempotency-Key")
        body = operation.get("requestBody")
        if body and not _has_example(served.document, body["content"]["application/json"]):
            wrong.append(f"{name} shows no example of its body")
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if status.startswith("2") and not (content and any(examples_of(content))):
                wrong.append(f"{name} shows no example of its {status}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("service_name", SERVICES)
def test_every_example_is_what_its_own_schema_allows(served: Served) -> None:
    shown = list(_shown(served.document))
    assert len(shown) > len(list(operations(served.document)))
    wrong = []
    for schema, example in shown:
        # References begin at the root of the document.
        whole = schema | {"components": served.document["components"]}
        wrong += [
            f"{example!r}: {error.message}"
            for error in Draft202012Validator(whole).iter_errors(example)
        ]
    assert not wrong, "\n".join(wrong)


def _shown(part: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every example of a document with its schema: of answers, bodies, parameters, members."""
    if isinstance(part, list):
        for each in part:
            yield from _shown(each)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("examples"), list):
        yield from ((part, each) for each in part["examples"])
    if "schema" in part:
        yield from ((part["schema"], each) for each in examples_of(part))
    for name, each in part.items():
        if name not in ("example", "examples"):
            yield from _shown(each)


@pytest.mark.parametrize("service_name", SERVICES)
def test_a_command_that_takes_no_body_refuses_one(served: Served) -> None:
    bare = [
        re.sub(r"\{[^}]+\}", "0" * 32, name.removeprefix("POST "))
        for name, operation in operations(served.document)
        if name.startswith("POST") and "requestBody" not in operation
    ]
    # Of rewards every command has members.
    assert bool(bare) is (served.name != "rewards")
    with httpx.Client(base_url=served.url, trust_env=False, timeout=20) as client:
        for path in bare:
            for sent in (b'{"reason": "none"}', b"[]", b"null", b"1", b"reason=none"):
                answer = _post(served, client, path, sent)
                told = answer.json()
                refused = (answer.status_code, told.get("field"), told.get("reason"))
                assert refused == (422, "body", "extra_forbidden"), f"{path} took {sent!r}"
            for sent in (b"", b"{}", b"{ }\n"):
                answer = _post(served, client, path, sent)
                assert answer.json().get("field") != "body", f"{path} refused {sent!r}"


def _post(served: Served, client: httpx.Client, path: str, sent: bytes) -> httpx.Response:
    kind = "text/plain" if sent.startswith(b"reason") else "application/json"
    return client.post(path, content=sent, headers={"content-type": kind, **served.headers()})


def _has_example(document: dict[str, Any], content: dict[str, Any]) -> bool:
    """Of the whole, or of every member that must be given and does not speak for itself."""
    if "example" in content or "examples" in content:
        return True
    schema = content["schema"]
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    # A choice, a default or a truth value shows what it takes.
    if schema.keys() & {"example", "examples", "default", "enum", "const"}:
        return True
    if schema.get("type") in ("boolean", "null"):
        return True
    if schema.get("type") == "array":
        return _has_example(document, {"schema": schema["items"]})
    required = schema.get("required", ())
    parts = [part for name, part in schema.get("properties", {}).items() if name in required]
    parts += [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if not parts:
        # An object without members is its own example.
        return schema.get("type") == "object"
    return all(_has_example(document, {"schema": part}) for part in parts)
