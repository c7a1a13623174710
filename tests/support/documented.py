"""Do answers have the members that the API document shows?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
from fastapi import FastAPI

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def keeping_to_its_document(client: httpx.AsyncClient, app: FastAPI) -> httpx.AsyncClient:
    """The client, which from now on compares each success with the examples of its route."""
    document = app.openapi()

    async def compare(answer: httpx.Response) -> None:
        if not answer.is_success or answer.headers.get("content-type") != "application/json":
            return
        operation = _operation(document, answer.request)
        if operation is None:
            return
        await answer.aread()
        where = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
        content = operation["responses"].get(str(answer.status_code), {}).get("content", {})
        shown = list(examples_of(content.get("application/json", {})))
        assert shown, f"{where} is not in the document with an example"
        told = [difference(each, answer.json()) for each in shown]
        assert None in told, f"{where} is not as documented: {'; or: '.join(map(str, told))}"

    client.event_hooks["response"].append(compare)
    return client


def examples_of(content: dict[str, Any]) -> Iterator[Any]:
    """The examples of a media type, one or several by name."""
    if "example" in content:
        yield content["example"]
    for named in content.get("examples", {}).values():
        yield named["value"]


def difference(shown: Any, real: Any, place: str = "answer") -> str | None:
    """The first place where members differ, or None; null stands for any object.

    Every item of a list must be like one of those shown.
    """
    if shown is None or real is None:
        return None
    if isinstance(shown, dict) and isinstance(real, dict):
        if shown and all(map(_DAY.fullmatch, [*shown, *real])):
            # A table by days: its members are not names.
            return difference(list(shown.values()), list(real.values()), place)
        if shown.keys() != real.keys():
            return f"{place} differs in {sorted(shown.keys() ^ real.keys())}"
        found = (difference(shown[key], real[key], f"{place}.{key}") for key in shown)
        return next((each for each in found if each), None)
    if isinstance(shown, list) and isinstance(real, list):
        for number, item in enumerate(real):
            told = [difference(each, item, f"{place}[{number}]") for each in shown]
            if None not in told:
                return "; or: ".join(map(str, told)) or f"{place} is shown empty"
        return None
    if isinstance(shown, dict | list) or isinstance(real, dict | list):
        return f"{place} is a {type(real).__name__}, shown as a {type(shown).__name__}"
    return None


def _operation(document: dict[str, Any], request: httpx.Request) -> dict[str, Any] | None:
    # Of two templates that fit, the one with fewer parameters is meant.
    for path in sorted(document["paths"], key=lambda each: each.count("{")):
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), request.url.path):
            found: dict[str, Any] | None = document["paths"][path].get(request.method.lower())
            if found is not None:
                return found
    return None
