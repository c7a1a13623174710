"""Which status, which language, and what of the input? RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest
from starlette.requests import Request

from shared.messages import Rejection
from shared.problems import language_of, of_rejection, route_of

Nature = Literal["rule", "authority", "field", "absent"]


@dataclass(frozen=True)
class DayIsOver(Rejection):
    zh = "第 {day} 天已过。请改日。"
    en = "Day {day} is over. Take another."

    day: int


@dataclass(frozen=True)
class FactIsUnknown(Rejection):
    waits: ClassVar[bool] = True
    zh = "尚未收到。"
    en = "It has not arrived."


@dataclass(frozen=True)
class MayNot(Rejection):
    nature: ClassVar[Nature] = "authority"
    zh = "不可。"
    en = "No."


@dataclass(frozen=True)
class Wrong(Rejection):
    nature: ClassVar[Nature] = "field"
    zh = "错。"
    en = "Wrong."


@dataclass(frozen=True)
class Absent(Rejection):
    nature: ClassVar[Nature] = "absent"
    zh = "无。"
    en = "None."


@pytest.mark.parametrize(
    ("rejection", "status", "slug", "headers"),
    [
        (DayIsOver(day=3), 409, "day-is-over", {}),
        (FactIsUnknown(), 409, "fact-is-unknown", {"Retry-After": "2"}),
        (MayNot(), 403, "may-not", {}),
        (Wrong(), 422, "wrong", {}),
        (Absent(), 404, "absent", {}),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Rejection) else "",
)
def test_the_nature_of_a_rejection_is_its_status(
    rejection: Rejection, status: int, slug: str, headers: Mapping[str, str]
) -> None:
    problem = of_rejection(rejection)
    assert (problem.status, problem.slug, problem.headers) == (status, slug, headers)


def test_a_rejection_names_its_fields_in_both_languages() -> None:
    problem = of_rejection(DayIsOver(day=3))
    assert (problem.zh, problem.en) == ("第 3 天已过。请改日。", "Day 3 is over. Take another.")
    assert problem.members == {"day": 3}


def request(accept: str | None, **scope: Any) -> Request:
    headers = [] if accept is None else [(b"accept-language", accept.encode())]
    return Request({"type": "http", "headers": headers, **scope})


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (None, "zh"),
        ("", "zh"),
        ("en", "en"),
        ("en-GB", "en"),
        ("zh-CN", "zh"),
        ("fr", "zh"),
        ("fr, en;q=0.5", "en"),
        ("en;q=0.4, zh;q=0.8", "zh"),
        ("zh;q=0.4, EN;q=0.8", "en"),
        ("en;q=0", "zh"),
        ("*", "zh"),
        (";;;,,,q=", "zh"),
        ("x" * 100_000, "zh"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_the_language_is_the_one_asked_for_and_else_chinese(
    accept: str | None, language: str
) -> None:
    assert language_of(request(accept)) == language


@dataclass
class Route:
    path: str


@pytest.mark.parametrize(
    ("path", "own", "params", "template"),
    [
        ("/v1/things/7", "/things/{id}", {"id": 7}, "/v1/things/{id}"),
        (
            "/v1/people/s1/things/7",
            "/things/{id}",
            {"id": 7, "s": "s1"},
            "/v1/people/{s}/things/{id}",
        ),
        ("/docs", "/docs", {}, "/docs"),
        ("/v1/", "/", {}, "/v1"),
        ("/", "/", {}, "/"),
    ],
)
def test_a_route_is_named_without_its_values(
    path: str, own: str, params: dict[str, Any], template: str
) -> None:
    scope = {"path": path, "route": Route(own), "path_params": params}
    assert route_of(scope) == template
    assert route_of({"path": path}) == "none"
