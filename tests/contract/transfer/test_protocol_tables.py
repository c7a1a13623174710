"""Do the code's tables of the wire say what the published ones say?"""

from __future__ import annotations

import copy
import hashlib
import re
from typing import Any

import pytest

from services.transfer.domain.content_models import E1_TYPES, judge_content, judge_envelope
from services.transfer.domain.envelopes import LIFE_SECONDS, message_id, transfer_id
from services.transfer.domain.refusals import GROUNDS
from services.transfer.edge.answers import ANSWERS, RETRIED_NAMES
from tests.support.vectors import PROTOCOL, contents, envelope_of, vectors

TABLES = vectors("tables")
CONTENTS = contents()


def test_the_vectors_are_those_that_were_published() -> None:
    listed = vectors("index")["files"]
    assert len(listed) == 12
    for name, about in listed.items():
        data = (PROTOCOL / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (about["bytes"], about["sha256"])


def test_the_problems_are_the_closed_list() -> None:  # transfer 3.3
    column = next(name for name in TABLES["problems"][0] if name.startswith("on failure"))
    for row in TABLES["problems"]:
        number = int(row["#"])
        names = re.findall(r"`([a-z-]+)`", row[column])
        if number == 17:
            assert number not in ANSWERS and names[0] == "duplicate"
            continue
        answer = ANSWERS[number]
        assert answer.name == names[0]
        assert str(answer.status) == row["HTTP"]
        assert answer.again == row["sender retries"].startswith("yes")
    assert set(ANSWERS) == set(range(1, 25)) - {17}
    assert {
        *("too-many-requests", "unavailable", "clock-skew", "directory-stale", "internal")
    } == RETRIED_NAMES


def test_the_refusals_are_the_closed_list() -> None:  # transfer 7
    assert list(GROUNDS) == [row["code"] for row in TABLES["refusals"]]
    for row in TABLES["refusals"]:
        ground = GROUNDS[row["code"]]
        assert (ground.refusal_class, ground.said_by) == (row["cl."], row["said by"])
        assert ground.meaning == row["meaning 含义"]
        assert ground.remedy_zh == row["remedy shown (zh)"]
        assert ground.remedy_en == row["remedy shown (en)"]


def test_the_header_has_the_published_members() -> None:  # transfer 4
    names = [name for row in TABLES["header"] for name in row["header member"].split(", ")]
    body = envelope_of("release", CONTENTS["release"])["body"]
    assert sorted(names) == sorted(body)
    for name in names:
        envelope = envelope_of("release", CONTENTS["release"])
        del envelope["body"][name]
        assert judge_envelope(envelope) == (False, name)


MEMBERS: dict[str, set[str]] = {}
for row in TABLES["messages"]:
    MEMBERS.setdefault(row["type"].split(" ")[0], set()).update(row["content member"].split(", "))
del MEMBERS["(E2)"]


@pytest.mark.parametrize("type", MEMBERS)
def test_each_message_has_the_published_members(type: str) -> None:  # transfer 4
    assert set(CONTENTS[type]) == MEMBERS[type]
    assert judge_content(envelope_of(type, CONTENTS[type])["body"], None) is None
    for name in MEMBERS[type]:
        content = {key: value for key, value in CONTENTS[type].items() if key != name}
        body = envelope_of("release", content)["body"] | {"type": type}
        assert judge_content(body, None) == f"content.{name}"
    extra = envelope_of("release", {**CONTENTS[type], "added": 1})["body"] | {"type": type}
    assert judge_content(extra, None) == "content"
    assert judge_content(extra | {"protocol": "jiexu/1.1"}, None) != "content"


def test_a_message_lives_as_long_as_its_type_allows() -> None:  # transfer 4
    seven_days = {"transfer-request", "request-received", "offer", "accepted"}
    minute = {"status-query", "status-reply", "bundle-get"}
    assert {name for name, life in LIFE_SECONDS.items() if life == 7 * 86_400} == seven_days
    assert {name for name, life in LIFE_SECONDS.items() if life == 60} == minute
    assert set(MEMBERS) - minute == E1_TYPES


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, None),
        ([], None),
        ("x", None),
        ({}, "body"),
        ({"body": {}, "sig": ""}, "kid"),
        ({"body": {}, "kid": ""}, "sig"),
        ({"body": [], "kid": "", "sig": ""}, "body"),
        ({"body": None, "kid": "", "sig": "", "more": 1}, None),
    ],
)
def test_an_envelope_has_three_members(value: Any, field: str | None) -> None:  # check 8
    assert judge_envelope(value) == (False, field)


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one member changed; ``*`` stands for the first item of a list."""
    copied = copy.deepcopy(content)
    place: Any = copied
    *way, last = path.split(".")
    for step in way:
        place = place[0] if step == "*" else place[step]
    place[0 if last == "*" else last] = value
    return copied


CHAIN = CONTENTS["offer"]["custody_chain"]
BUNDLE = CONTENTS["offer"]["bundles"][0]
ENTRY = CONTENTS["supplement"]["entries"][0]
HELD = {"authority": "a" * 100, "until": "2027-06-01"}
REFUSED = {**CONTENTS["refused"], "retry_after_seconds": None, "hold": None}
# (type, member, values that fit, values that do not)
LIMITS: list[tuple[str, str, list[Any], list[Any]]] = [
    ("transfer-request", "suites", [["x"] * 8, ["x" * 40]], [[], ["x"] * 9, ["x" * 41], "x"]),
    ("transfer-request", "protocols", [["x"] * 8], [[], ["x"] * 9]),
    ("transfer-request", "limits.max_entries", [1, 500_000], [0, 500_001, True, "1"]),
    ("transfer-request", "limits.max_bundles", [1, 1000], [0, 1001]),
    ("transfer-request", "limits.max_bundle_bytes", [65_536, 1_048_576], [65_535, 1_048_577]),
    ("transfer-request", "consent.body.text_id", ["é" * 100], ["x" * 101, "e\u0301", "a\tb"]),
    ("transfer-request", "consent.body.kinds", [["profile"] * 10], [[], ["star"] * 11, ["x"]]),
    ("transfer-request", "consent.body.channel", ["counter"], ["Counter", "post", None]),
    ("transfer-request", "consent.body.guardian",
     [None, {"relation": "x" * 40, "verified": True}],
     [{"relation": "x" * 41, "verified": True}, {"relation": "x", "verified": 1}, {}]),
    ("request-received", "review_due", ["2028-02-29"], ["2027-02-29", "2027-2-1", 20270201]),
    ("request-received", "log_index", [0, 2**53 - 1], [-1, 2**53, True]),
    ("offer", "bundles", [[], [BUNDLE] * 1000], [[BUNDLE] * 1001, None]),
    ("offer", "bundles.*.entries", [1, 500], [0, 501]),
    ("offer", "custody_chain", [CHAIN * 256], [[], CHAIN * 257]),
    ("offer", "suite", ["intl-1", "sm-1"], ["sm-2", None]),
    ("offer", "cosignatures", [[]], [[{}], None]),
    ("offer", "profile", [None], [{}, "x"]),
    ("offer", "head.body.state_digest", [None], ["", "A" * 64]),
    ("offer", "head.body.totals.credited_minutes", [-(2**53 - 1)], [-(2**53), None]),
    ("offer", "head.body.totals.pending_minutes", [0], [-1]),
    ("offer", "head.body.kinds.star", [0], [-1, None]),
    ("accepted", "promise", ["activate-iff-released"], ["activate"]),
    ("supplement", "entries", [[ENTRY] * 50], [[], [ENTRY] * 51]),
    ("supplement", "entries.*.sig", ["0" * 128], ["0" * 127, "g" * 128]),
    ("supplement", "hops", [["amber"] * 256], [[], ["amber"] * 257, ["Amber"]]),
    ("supplement", "k", [2, 3], [0, True]),
    ("residual-closed", "last_digest", [None], ["x"]),
    ("status-query", "known_state", ["x" * 20], ["x" * 21]),
    ("status-query", "reconcile", [None, {"after": None, "applied": []}],
     [{"after": None}, {"after": None, "applied": [{"transfer_id": "0" * 64, "incarnation": 1,
                                                    "k": 0}] * 101}]),
    ("status-reply", "decision", [None], [{}, "x"]),
    ("status-reply", "transfers", [None, []], [CONTENTS["status-reply"]["transfers"] * 101]),
    ("status-reply", "certificates", [CONTENTS["status-reply"]["certificates"] * 200],
     [CONTENTS["status-reply"]["certificates"] * 201]),
    ("notice", "text", ["x" * 500, None], ["x" * 501]),
    ("notice", "entry.version", [9999], [0, 10_000]),
    ("aborted", "certificate.body.code", ["TR-101"], ["TR-100", "tr-101"]),
    ("aborted", "certificate.body.subject_id", [None], [""]),
    ("release", "certificate.body.kind", ["release"], ["transfer"]),
    ("release", "certificate.body.from", ["b1", "x" * 31], ["B1", "x", "x" * 32, "-a", "é"]),
    ("release", "certificate.kid", ["amber:0123456789abcdef"], ["amber:012", "amber"]),
]  # fmt: skip


@pytest.mark.parametrize(("type", "path", "fit", "wrong"), LIMITS, ids=lambda v: str(v)[:40])
def test_members_keep_their_limits(
    type: str, path: str, fit: list[Any], wrong: list[Any]
) -> None:  # transfer 2.1, 4
    named = "content." + path.replace(".*", "")
    for value in fit:
        body = envelope_of(type, changed(CONTENTS[type], path, value))["body"]
        assert judge_content(body, None) is None, value
    for value in wrong:
        content = changed(CONTENTS[type], path, value)
        found = judge_content(
            envelope_of(type, CONTENTS[type])["body"] | {"content": content}, None
        )
        assert found is not None and found.startswith(named), (value, found)


@pytest.mark.parametrize(
    ("refusal", "side", "field"),
    [
        (REFUSED | {"code": "TR-205", "class": "T", "retry_after_seconds": 2_592_000}, "O", None),
        (REFUSED | {"code": "TR-205", "class": "T", "retry_after_seconds": 2_592_001}, "O",
         "content.retry_after_seconds"),
        (REFUSED | {"code": "TR-205", "class": "T", "retry_after_seconds": 60}, "O", None),
        (REFUSED | {"code": "TR-305", "class": "T", "hold": HELD}, "O", None),
        (REFUSED | {"code": "TR-305", "class": "T", "hold": HELD | {"authority": "a" * 101}}, "O",
         "content.hold.authority"),
        (REFUSED | {"code": "TR-305", "class": "T", "hold": HELD}, "D", "content.code"),
        (REFUSED | {"code": "TR-506", "class": "T"}, "O", "content.code"),
        (REFUSED | {"code": "TR-506", "class": "T"}, None, None),
        (REFUSED | {"code": "TR-306", "class": "F"}, "O", None),
        (REFUSED | {"code": "TR-999", "class": "F"}, "O", "content.code"),
        (REFUSED | {"stage": "later"}, "D", "content.stage"),
    ],
)  # fmt: skip
def test_a_refusal_agrees_with_its_code(refusal: Any, side: Any, field: str | None) -> None:
    body = envelope_of("refused", REFUSED)["body"] | {"content": refusal}
    assert judge_content(body, side) == field


def test_purpose_decides_what_a_request_brings() -> None:  # transfer 4, M1
    content = CONTENTS["transfer-request"]
    sealed = {
        "epk": "0" * 64,
        "seal_kid": "amber:0123456789abcdef",
        "sealed": "ab" * 2048,
        "officer_ref": "o",
        "reason": "r",
    }
    no_code: dict[str, Any] = {"code_id": None, "proof": None}
    again = {**no_code, "consent": None, "return_of": "0" * 64}

    def judged(**members: Any) -> str | None:
        changed = content | members
        ids = transfer_id(
            "amber", "birch", changed["purpose"], changed["applicant_ref"], changed["nonce"]
        )
        body = envelope_of(
            "transfer-request",
            changed,
            transfer_id=ids,
            message_id=message_id(ids, "birch", 1, 9),
        )["body"]
        return judge_content(body, None)

    assert judged() is None
    assert judged(purpose="visit") is None
    assert judged(assisted=sealed, **no_code) is None
    assert judged(purpose="return", **again) is None
    assert judged(purpose="redeliver", **again) is None
    assert judged(assisted=sealed | {"sealed": "ab" * 2049}, **no_code) == (
        "content.assisted.sealed"
    )
    assert judged(assisted=sealed) == "content.code_id"
    assert judged(purpose="return", **again | {"return_of": None}) == "content.return_of"
    assert judged(purpose="return", **again | {"assisted": sealed}) == "content.assisted"
    assert judged(purpose="return", **again | {"consent": content["consent"]}) == "content.consent"
    assert judged(purpose="borrow") == "content.purpose"


def test_a_correction_request_names_what_it_is_about() -> None:  # transfer 2.3, 9
    content = CONTENTS["notice"]
    assert content["kind"] == "correction-request"
    for name in ("ref", "nonce"):
        other = content | {name: None}
        body = envelope_of("notice", content)["body"] | {"content": other}
        assert judge_content(body, None) == f"content.{name}"
    plain = envelope_of("notice", content | {"kind": "remind", "nonce": None})
    assert judge_content(plain["body"], None) is None
    numbered = envelope_of("notice", content | {"kind": "remind"})
    assert judge_content(numbered["body"], None) == "content.nonce"
