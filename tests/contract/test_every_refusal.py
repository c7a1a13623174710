"""Does every no that a person can meet say its reason and its remedy, in Chinese and in English?"""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx
import pytest
import yaml
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from services.records.domain import entries, knowledge, text
from services.records.domain import rejections as records
from services.records.domain.batches import rejections as batches
from services.records.domain.batches import state as batch_states
from services.records.domain.dossiers import corrected_facts, facts_of_service
from services.registry.domain import rejections as registry
from services.registry.domain.organisations.events import SanctionKind, Standing
from services.registry.edge.policy_models import judge
from services.rewards.domain.policies.model import Authority
from services.rewards.domain.standings import rejections as standings
from services.transfer.domain.refusals import GROUNDS
from services.transfer.edge.answers import ANSWERS, Refused
from shared import ledger, problems
from shared.ledger.types import CommandIdReused, FieldIsWrong
from shared.messages import Rejection
from shared.problems import Language, Problem, of_rejection, response
from tests.support.coverage import ROOT, SERVICES, domain_classes

REFUSALS = [
    *(kind for service in SERVICES for kind in domain_classes(service, Rejection)),
    *(CommandIdReused, FieldIsWrong),
]
# Members that name a thing of the request or of the world; their values may stand in a sentence.
NAMES = {
    *("field", "path", "city", "home", "origin", "issuer"),
    *("entry_id", "batch_id", "transfer_id", "policy_id", "code"),
}
NAMED = "amber-1"
# Words of the wire that have no Chinese.
WORDS = {"JSON", "UTF-8", "KiB", "Idempotency-Key", "Retry-After", "application/json", NAMED}
HAN = re.compile(r"[一-鿿]")
ADVICE = re.compile(r"请|可|无须")


def document(problem: Problem, language: Language) -> dict[str, Any]:
    answer = response(problem, language)
    assert answer.headers["content-language"] == language
    told: dict[str, Any] = json.loads(bytes(answer.body))
    return told


def assert_reason_and_remedy(problem: Problem) -> None:
    chinese, english = document(problem, "zh"), document(problem, "en")
    for told in (chinese, english):
        title, detail = told["title"], told["detail"]
        assert detail.startswith(title) and "{" not in detail, detail
    assert_chinese(chinese["title"])
    assert_chinese(remedy := chinese["detail"].removeprefix(chinese["title"]).lstrip("。"))
    assert ADVICE.search(remedy) and remedy.endswith("。"), chinese["detail"]
    assert_english(english["title"])
    reason, _, remedy = english["detail"].partition(". ")
    assert_english(reason)
    assert_english(remedy)
    assert remedy[0].isupper() and remedy.endswith("."), english["detail"]


def assert_chinese(said: str) -> None:
    assert HAN.search(said), said
    codes = set(re.findall(r"[A-Za-z][A-Za-z0-9_./-]*", said)) - WORDS
    assert not codes, f"{codes} in {said}"


def assert_english(said: str) -> None:
    assert re.search(r"[A-Za-z]{2}", said) and not HAN.search(said), said
    assert "_" not in said, said


def samples(kind: type[Rejection]) -> Iterator[Rejection]:
    """One of the kind, and one more for each code that it has a term for."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for each in dataclasses.fields(kind):
        whole, day = (
            wanted in (hints[each.name], *get_args(hints[each.name])) for wanted in (int, date)
        )
        values[each.name] = 7 if whole else date(2027, 3, 1) if day else NAMED
        if not (whole or day or each.name in NAMES):
            values[each.name] = "some_code"
    yield kind(**values)
    for name, terms in kind.terms.items():
        for code in terms:
            yield kind(**values | {name: code})


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_a_refusal_says_reason_and_remedy_in_both_languages(kind: type[Rejection]) -> None:
    for refusal in samples(kind):
        problem = of_rejection(refusal)
        assert_reason_and_remedy(problem)
        # What the sentence says in words stands as it is for programs.
        assert problem.members == refusal.members()
    for terms in kind.terms.values():
        assert problems.OTHER not in terms.values()


def test_what_has_no_term_is_no_code_in_a_sentence() -> None:
    problem = of_rejection(records.EntryIsFinal("no_such_state"))
    assert problem.zh.startswith(f"该记录{problems.OTHER}")
    assert problem.members == {"state": "no_such_state"}


# --- the codes that a sentence has words for -----------------------------------------------------

STATUSES = {
    status
    for kind in vars(batch_states).values()
    if isinstance(kind, type) and "status" in getattr(kind, "__annotations__", {})
    for status in get_args(get_type_hints(kind)["status"])
}


@pytest.mark.parametrize(
    ("kind", "name", "codes"),
    [
        (records.EntryIsFinal, "state", set(entries.STATES)),
        (records.TierIsHigher, "tier", set(get_args(knowledge.TierBody)) - {"recorder"}),
        (
            records.NotVolunteerService,
            "why",
            set(facts_of_service.CATEGORIES) - facts_of_service.IS_SERVICE,
        ),
        (
            records.RecorderMayNotAct,
            "status",
            {*get_args(SanctionKind), *get_args(Standing)} - {"active"},
        ),
        (records.ProvenanceIsFixed, "field", set(corrected_facts.PROVENANCE)),
        (batches.BatchIsDecided, "status", STATUSES - {"absent"}),
        (standings.TierIsHigher, "tier", set(get_args(Authority))),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_code_of_a_closed_list_has_its_term(
    kind: type[Rejection], name: str, codes: set[str]
) -> None:
    assert kind.terms[name].keys() == codes


def calls(root: Path, *names: str) -> Iterator[ast.Call]:
    """The calls of these names in the files below (or in this one file)."""
    for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                if getattr(called, "id", getattr(called, "attr", "")) in names:
                    yield node


def constants(nodes: list[ast.expr]) -> set[str]:
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def second_words(root: Path, name: str) -> set[str]:
    """What is said by name or in the second place: the code of a refusal with a field."""
    found: set[str] = set()
    for call in calls(root, name):
        found |= constants(
            [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "reason")]
        )
    return found


def returned(path: Path, function: str) -> set[str]:
    """The words that a function returns."""
    (found,) = (
        node
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    return constants(
        [n.value for n in ast.walk(found) if isinstance(n, ast.Return) and n.value is not None]
    )


def judged(*paths: Path) -> set[str]:
    """The reasons with which a number is judged to be wrong."""
    words = {
        word
        for path in paths
        for call in calls(path, "Judged")
        for word in constants(call.args[:2])
    }
    return {word for word in words if not word.startswith("ok")}


REGISTRY = ROOT / "services" / "registry"


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (
            records.FieldIsWrong,
            second_words(ROOT / "services" / "records", "FieldIsWrong")
            | (set(get_args(text.Flaw)) - {"personal_data"}),
        ),
        (standings.FieldIsWrong, second_words(ROOT / "services" / "rewards", "FieldIsWrong")),
        (
            registry.FieldIsWrong,
            second_words(REGISTRY, "FieldIsWrong")
            | returned(REGISTRY / "domain" / "names.py", "fault")
            | returned(REGISTRY / "domain" / "texts.py", "fault"),
        ),
        (
            registry.DocumentNumberIsInvalid,
            judged(REGISTRY / "domain" / "documents.py", REGISTRY / "domain" / "idnumbers.py"),
        ),
        (registry.UsccIsInvalid, judged(REGISTRY / "domain" / "uscc.py")),
        (FieldIsWrong, second_words(Path(ledger.__file__).parent, "FieldIsWrong")),
    ],
    ids=lambda value: value.__module__ if isinstance(value, type) else "",
)
def test_each_reason_that_the_code_gives_has_its_term(
    kind: type[Rejection], codes: set[str]
) -> None:
    assert kind.terms["reason"].keys() == codes


def test_each_kind_of_policy_that_may_be_missing_has_its_term() -> None:
    found: set[str] = set()
    for call in calls(ROOT / "services" / "records", "PolicyIsMissing"):
        found |= constants(call.args)
    assert records.PolicyIsMissing.terms["kind"].keys() == found


def policies() -> list[dict[str, Any]]:
    """Whole documents of every kind: those that are shipped, and the examples."""
    files = [
        *(REGISTRY / "policies").rglob("*.yaml"),
        ROOT / "tests" / "data" / "star_policy_examples.yaml",
    ]
    found = [each for file in files for each in yaml.safe_load_all(file.read_text("utf-8")) if each]
    return [json.loads(json.dumps(each, default=str)) for each in found]


def mistakes(document: dict[str, Any], inside: Any = None) -> Iterator[dict[str, Any]]:
    """The document with each of its members wrong in each of many ways, one at a time."""
    inside = document if inside is None else inside
    for key in list(inside) if isinstance(inside, Mapping) else range(len(inside)):
        right = inside[key]
        if isinstance(right, dict | list):
            yield from mistakes(document, right)
        longer = right * 300 if isinstance(right, list) else None
        for wrong in (None, "", "x" * 300, "?", -1, 10**9, 0.5, "1", True, [], {}, longer):
            inside[key] = wrong
            yield copy.deepcopy(document)
        inside[key] = right
        if isinstance(inside, dict):
            del inside[key]
            yield copy.deepcopy(document)
            inside[key] = right
            inside["another"] = 1
            yield copy.deepcopy(document)
            del inside["another"]


def test_each_mistake_of_a_policy_has_its_term() -> None:
    kinds = {document["kind"]: document for document in policies()}
    assert len(kinds) == 5
    reasons = set()
    for document in kinds.values():
        found = (judge(wrong) for wrong in mistakes(copy.deepcopy(document)))
        reasons |= {each.reason for each in found if isinstance(each, registry.ContentIsInvalid)}
    reasons |= second_words(REGISTRY, "ContentIsInvalid")
    assert registry.ContentIsInvalid.terms["reason"].keys() == reasons


# --- what is no rejection of a domain ------------------------------------------------------------


def plain_problems() -> list[Problem]:
    """Every problem that the code writes out with its sentences."""
    found = []
    for folder in ("shared", "services"):
        for call in calls(ROOT / folder, "Problem"):
            said = {word.arg: word.value for word in call.keywords}
            if isinstance(said["zh"], ast.Constant):
                zh, en = ast.literal_eval(said["zh"]), ast.literal_eval(said["en"])
                found.append(Problem(status=400, slug="said", zh=zh, en=en))
    return found


def test_every_problem_of_the_edge_says_reason_and_remedy() -> None:
    found = plain_problems()
    assert len(found) >= 11
    for problem in found:
        assert_reason_and_remedy(problem)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 415, 500, 503])
async def test_every_status_of_the_framework_says_reason_and_remedy(status: int) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def no() -> None:
        raise HTTPException(status)

    said: dict[str, str] = {}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
        for language in ("zh", "en"):
            answer = await client.get("/", headers={"accept-language": language})
            assert answer.status_code == status
            said[language] = answer.json()["detail"]
    assert_reason_and_remedy(Problem(status=status, slug="said", **said))


@pytest.mark.parametrize("check", ANSWERS)
def test_every_answer_to_another_city_says_reason_and_remedy(check: int) -> None:
    assert_reason_and_remedy(Refused(check).problem())


@pytest.mark.parametrize("code", GROUNDS)
def test_every_ground_of_a_transfer_has_reason_and_remedy(code: str) -> None:
    ground = GROUNDS[code]
    for chinese in (ground.reason_zh, ground.remedy_zh):
        assert_chinese(chinese)
    for english in (ground.reason_en, ground.remedy_en):
        assert_english(english)
    assert f"{ground.reason_en} {ground.reason_zh}" == ground.meaning
