"""Does the verifier judge any log as the rules do, whatever its size, order and slicing?"""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transfer.domain.certificates import is_genuine
from services.transfer.domain.commands import Flaw
from services.transfer.domain.credit import Span, credited
from services.transfer.domain.entry_form import minutes_are_in_bounds
from services.transfer.domain.envelopes import opened
from services.transfer.domain.verify import Verification, slices, verify_export
from services.transfer.domain.verify_offer import judge_chain, judge_offer, judge_own
from services.transfer.domain.verify_sums import MemoryScratch
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical, digest
from tests.support.logs import CHAIN, SUBJECT, entry, head_over, log
from tests.support.vectors import directory, envelope_of, message, resigned, vectors

BOOK = directory()


def genuine(signed: Any) -> bool:
    return is_genuine(signed, BOOK, verify_signature)


def verification(head: Any, **members: Any) -> Verification:
    known: dict[str, Any] = {
        "homes": {"amber"},
        "directory": BOOK,
        "verify": verify_signature,
        "scratch": MemoryScratch(),
    }
    return Verification(head=head, **known | members)


# --- overlap ------------------------------------------------------------------------------------


def slow_credit(spans: list[Span]) -> dict[str, int]:
    """The rule as it is written, with seconds as sets."""
    covered: set[int] = set()
    found = {}
    for span in sorted(spans, key=lambda span: (span.entry_id[-26:], span.issuer)):
        shared = 0
        if span.started is not None and span.ended is not None:
            seconds = set(range(span.started, span.ended))
            shared = min(span.counted, len(seconds) // 60 - len(seconds - covered) // 60)
            covered |= seconds
        found[span.entry_id] = span.counted - shared
    return found


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        start = draw(st.integers(0, 600))
        length = draw(st.integers(1, 400))
        known = draw(st.booleans()) or draw(st.booleans())
        found.append(
            Span(
                f"amber-{number:026d}",
                "amber",
                draw(st.integers(1, 10)),
                start if known else None,
                start + length if known else None,
            )
        )
    return found


@given(spans(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_credit_follows_the_rule_of_seconds_in_any_order(  # INV-2, INV-11, B41
    found: list[Span], order: random.Random
) -> None:
    shuffled = order.sample(found, len(found))
    quick = {
        span.entry_id: minutes
        for span, minutes in credited(sorted(shuffled, key=lambda span: span.rank))
    }
    assert quick == slow_credit(shuffled)


# --- the log as a whole -------------------------------------------------------------------------

ENTRIES = list(log(60))
HEAD = head_over(ENTRIES)
LINES = [canonical(signed) for signed in ENTRIES]


@pytest.mark.parametrize("size", [1, 7, 59, 60, 500])
def test_slices_of_any_size_give_one_verdict(size: int) -> None:  # INV-11
    judged = verification(HEAD)
    for start in range(0, len(LINES), size):
        assert judged.take(judged.examine(LINES[start : start + size])) is None
    verdict = judged.conclude()
    assert verdict.flaw is None
    assert verdict.totals is not None and verdict.totals.credited_minutes == 30 * 60
    body = HEAD["body"]
    assert (verdict.count, verdict.root, verdict.kinds) == (60, body["root"], body["kinds"])
    assert verdict.state_digest == body["state_digest"]


def test_lines_are_cut_as_they_stand() -> None:
    assert list(slices(b"")) == []
    assert list(slices(b"a\n\nb")) == [[b"a", b"", b"b"]]
    assert [len(part) for part in slices(b"x\n" * 250)] == [100, 100, 50]


@pytest.mark.parametrize("place", [0, 1, 59])
def test_the_first_leaf_that_is_wrong_decides(place: int) -> None:  # section 8
    lines = list(LINES)
    lines[place] = lines[place].replace(b'"minutes":60', b'"minutes":61')
    judged = verification(HEAD)
    flaw = judged.take(judged.examine(lines))
    assert flaw is not None and flaw.code == "TR-404"
    assert judged.stopped(flaw).count == place


def test_of_one_leaf_a_repeat_is_named_before_a_kind_not_its_own() -> None:  # 411 before 412
    star = entry(99, kind="star", issuer="birch", minutes=0, counted_minutes=0, detail={"body": {}})
    for lines, code in (
        ([star], "TR-412"),
        ([LINES[0], LINES[0], canonical(star)], "TR-411"),
        ([canonical(star), LINES[0], LINES[0]], "TR-412"),
    ):
        judged = verification(HEAD)
        found = judged.take(
            judged.examine([one if isinstance(one, bytes) else canonical(one) for one in lines])
        )
        assert found is not None and found.code == code
    home = verification(HEAD, homes={"amber", "birch"})
    assert home.take(home.examine([canonical(star)])) is None


def test_every_bit_of_a_leaf_is_covered() -> None:  # F34, INV-9
    chosen = random.Random(20270301)
    line = LINES[1]
    for _ in range(300):
        position, mask = chosen.randrange(len(line)), chosen.randrange(1, 256)
        mutant = line[:position] + bytes([line[position] ^ mask]) + line[position + 1 :]
        flaw = verification(HEAD).examine([mutant]).flaw
        assert flaw is not None and flaw.code in ("TR-401", "TR-404"), (position, mask)


# The day of first registration is known to the origin alone: the signature covers it.
@pytest.mark.parametrize("name", sorted(set(HEAD["body"]) - {"first_registered_on"}))
def test_every_member_of_a_head_is_covered(name: str) -> None:  # F34, INV-5
    """Changed and rightly signed again: something that is recomputed, or was signed, differs."""
    changes: dict[str, Any] = {
        "v": "head/2",
        "subject_id": "0" * 32,
        "epoch": 2,
        "home": "birch",
        "count": 61,
        "root": "0" * 64,
        "totals": {**HEAD["body"]["totals"], "learning_minutes": 1},
        "kinds": {**HEAD["body"]["kinds"], "star": 1},
        "state_digest": "0" * 64,
        "at": "2026-01-01T00:00:00Z",
    }
    head = head_over(ENTRIES, **{name: changes[name]})
    verdict = verify_export(
        ENTRIES, head=head, custody_chain=CHAIN, directory=BOOK, verify=verify_signature
    )
    assert verdict.flaw is not None


# --- exports, offline ---------------------------------------------------------------------------


def test_an_export_is_judged_by_anyone_with_the_directory() -> None:  # INV-20
    verdict = verify_export(
        iter(ENTRIES), head=HEAD, custody_chain=CHAIN, directory=BOOK, verify=verify_signature
    )
    assert verdict.flaw is None and verdict.count == 60


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in vectors("dossiers")["cases"]
        # Of these an export says something else, or cannot know.
        if not {"bundles", "epoch", "known_certificates"} & set(case)
    ],
    ids=lambda case: case["name"],
)
def test_an_export_gets_the_code_that_an_offer_would(case: Any) -> None:  # INV-20, dossiers.json
    verdict = verify_export(
        case["entries"],
        head=case["head"],
        custody_chain=case["custody_chain"],
        directory=directory(case.get("directory")),
        verify=verify_signature,
        receipts=case.get("receipts", ()),
    )
    assert (verdict.flaw.code if verdict.flaw else None) == case["code"]


def test_what_is_no_export_is_told_so() -> None:
    for head, chain in (({}, CHAIN), (HEAD, [{}]), (HEAD, [])):
        verdict = verify_export(
            ENTRIES, head=head, custody_chain=chain, directory=BOOK, verify=verify_signature
        )
        assert verdict.flaw is not None and verdict.flaw.code in ("TR-401", "TR-405")


def test_a_head_or_receipt_that_proves_nothing_holds_nothing_up() -> None:  # section 8, 13
    other = head_over(ENTRIES[:30])
    forged = {**other, "sig": "0" * 128}
    judged = verification(HEAD, receipts=[{}, {"head": {}}], heads=[other, forged, {}])
    assert judged.take(judged.examine(LINES)) is None
    assert judged.conclude().flaw is None
    lying = head_over(ENTRIES[:29] + ENTRIES[30:31])
    judged = verification(HEAD, heads=[lying])
    assert judged.take(judged.examine(LINES)) is None
    flaw = judged.conclude().flaw
    assert flaw is not None and flaw.code == "TR-406"


LOST = "amber:dc47032c12c9afbc"


def doubted(since: str) -> Any:
    return directory({"keys": {LOST: {"compromised_since": since}}})


def by_lost_key(number: int, version: int = 1) -> dict[str, Any]:
    """An entry of amber under the key that went into other hands."""
    return resigned(entry(number, version=version)["body"], LOST, "jiexu-entry-v1")


def code_under(head: Any, entries: list[Any], since: str, **members: Any) -> str | None:
    judged = verification(head, directory=doubted(since), **members)
    flaw = judged.take(judged.examine([canonical(one) for one in entries]))
    flaw = flaw or judged.conclude().flaw
    return flaw.code if flaw else None


def test_what_a_lost_key_signed_counts_under_a_head_of_before() -> None:  # 2.7
    entries = [by_lost_key(1), by_lost_key(2)]
    head = head_over(entries)
    assert code_under(head, entries, "2027-03-01T02:00:04Z") is None
    assert code_under(head, entries, "2027-03-01T02:00:03Z") == "TR-404"
    older = head_over(entries, at="2027-02-28T00:00:00Z")
    assert code_under(head, entries, "2027-03-01T00:00:00Z", heads=[older]) is None
    first = head_over(entries[:1], at="2027-02-28T00:00:00Z")
    assert code_under(head, entries, "2027-03-01T00:00:00Z", heads=[first]) == "TR-404"


def test_what_a_lost_key_signed_counts_once_it_is_signed_again() -> None:  # 2.7
    since = "2027-02-01T00:00:00Z"
    entries = [by_lost_key(1), by_lost_key(1, version=2), entry(1, version=3)]
    assert code_under(head_over(entries), entries, since) is None
    assert code_under(head_over(entries[:2]), entries[:2], since) == "TR-404"
    entries.append(by_lost_key(1, version=4))
    assert code_under(head_over(entries), entries, since) == "TR-404"


# --- checks 1–6 of an offer ---------------------------------------------------------------------

OFFER = message("M4")
REQUEST = message("M1")["body"]


def judged_offer(**changes: Any) -> Flaw | None:
    content = {**OFFER["body"]["content"], **changes.pop("content", {})}
    body = {**OFFER["body"], "content": content, **changes.pop("header", {})}
    request = {**REQUEST["content"], **changes.pop("request", {})}
    return judge_offer(
        opened({**OFFER, "body": body}, digest(body)),
        request=request,
        request_ids={REQUEST["message_id"]},
        genuine=genuine,
        **changes,
    )


LIMITS = REQUEST["content"]["limits"]
BUNDLE = OFFER["body"]["content"]["bundles"][0]
LINK = CHAIN[0]["body"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"header": {"in_reply_to": None}}, "TR-401"),
        ({"header": {"in_reply_to": "0" * 32}}, "TR-401"),
        ({"header": {"protocol": "jiexu/1.1"}}, "TR-401"),
        ({"content": {"suite": "sm-1"}}, "TR-401"),
        ({"request": {"suites": ["sm-1", "intl-1"]}}, None),
        ({"request": {"limits": {**LIMITS, "max_entries": 3}}}, None),
        ({"request": {"limits": {**LIMITS, "max_entries": 2}}}, "TR-408"),
        ({"content": {"bundles": [{**BUNDLE, "bytes": 1_048_592}]}}, None),
        ({"content": {"bundles": [{**BUNDLE, "bytes": 1_048_593}]}}, "TR-408"),
        ({"content": {"bundles": [BUNDLE] * 2}}, "TR-402"),
        ({"content": {"bundles": [BUNDLE] * 2}, "request": {"limits": {**LIMITS,
          "max_bundles": 1}}}, "TR-408"),
        ({"content": {"frozen_at": "2027-03-01T02:01:03Z"}}, None),
        ({"content": {"frozen_at": "2027-03-01T02:01:04Z"}}, "TR-204"),
        ({"content": {"subject_id": "0" * 32}}, "TR-204"),
        ({"content": {"epoch": 2}}, "TR-204"),
        ({"header": {"from": "birch"}}, "TR-204"),
        ({"content": {"custody_chain": [*CHAIN, *CHAIN]}}, "TR-405"),
        ({"known": [(1, digest(LINK)), (2, "0" * 64)]}, None),
        ({"known": [(1, "0" * 64)]}, "TR-406"),
        ({"own": [(1, "0" * 64)]}, "TR-405"),
        ({"own": [(1, digest(LINK))]}, "TR-303"),
    ],
)  # fmt: skip
def test_an_offer_is_taken_up_only_as_it_was_asked_for(  # D5, D6
    changes: dict[str, Any], code: str | None
) -> None:
    flaw = judged_offer(**changes)
    assert (flaw.code if flaw else None) == code
    assert flaw is None or flaw.evidence_digest is not None


def test_a_dossier_that_comes_back_brings_our_own_certificate() -> None:  # A→B→A, check 5
    release = message("M7")["body"]["content"]["certificate"]
    back = resigned(
        {**release["body"], "from": "birch", "home": "amber", "epoch": 3,
         "prev": digest(release["body"])},
        "birch:f624a90919910879",
        "jiexu-certificate-v1",
    )  # fmt: skip
    chain = [CHAIN[0], release, back]
    about: dict[str, Any] = {"subject_id": SUBJECT, "genuine": genuine}
    assert judge_chain(chain[:2], epoch=2, home="birch", **about) is None
    assert judge_chain(chain, epoch=3, home="amber", **about) is None
    # amber signed both while it kept the dossier under epoch 1: birch offers it under 2.
    own = [(1, digest(CHAIN[0]["body"])), (1, digest(release["body"]))]
    assert judge_own(chain[:2], own) is None
    # Were it home again under epoch 3, and birch came with the chain of before:
    own.append((3, digest(release["body"])))
    assert judge_own(chain[:2], own) == Flaw(code="TR-303", evidence_digest=digest(release["body"]))


def test_a_recovery_is_signed_by_a_home_that_was() -> None:  # section 11
    release = message("M7")["body"]["content"]["certificate"]
    body = {
        **release["body"],
        "kind": "recovery",
        "from": "birch",
        "home": "amber",
        "epoch": 3,
        "prev": digest(release["body"]),
        "accept_digest": None,
        "transfer_id": None,
    }
    about: dict[str, Any] = {
        "subject_id": SUBJECT, "epoch": 3, "home": "amber", "genuine": genuine,
    }  # fmt: skip
    recovered = resigned(body, "amber:3f5d45756011d07b", "jiexu-certificate-v1")
    assert judge_chain([CHAIN[0], release, recovered], **about) is None
    forged = {**recovered, "sig": "0" * 128}
    assert judge_chain([CHAIN[0], release, forged], **about) is not None


# --- bounds (410) -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "state", "version", "minutes", "counted", "fits"),
    [
        ("service", "approved", 1, 1440, 1440, True),
        ("service", "approved", 1, 1441, 1441, False),
        ("service", "approved", 1, 0, 0, False),
        ("service", "approved", 2, 60, 59, False),
        ("service", "pending", 1, 60, 0, True),
        ("service", "pending", 1, 60, 60, False),
        ("service", "pending", 2, 60, 1440, True),
        ("service", "pending", 2, 60, 1441, False),
        ("service", "pending", 2, 60, -1, False),
        ("service", "publicised", 2, 60, 60, False),
        ("service", "publicised", 2, 60, 0, True),
        ("service", "rejected", 2, 60, 0, True),
        ("service", "revoked", 3, 60, 60, False),
        ("service", "disputed", 2, 60, 0, True),
        ("training", "approved", 1, 1440, 1440, True),
        ("training", "approved", 1, -1, -1, False),
        ("consumption", "approved", 1, 0, 0, True),
        ("consumption", "approved", 1, 600_000, 600_000, True),
        ("consumption", "approved", 1, 600_001, 600_001, False),
        ("consumption", "revoked", 2, 30, 0, True),
        ("adjustment", "approved", 1, -600_000, -600_000, True),
        ("adjustment", "approved", 1, -600_001, -600_001, False),
        ("adjustment", "approved", 1, 0, 0, False),
        ("adjustment", "revoked", 2, -5, 0, True),
        ("adjustment", "pending", 2, -5, 0, True),
        ("adjustment", "pending", 2, -5, -7, True),
        ("adjustment", "pending", 2, -5, 1, False),
        ("star", "approved", 1, 0, 0, True),
        ("star", "approved", 1, 1, 1, False),
        ("donation", "approved", 1, 0, 0, True),
    ],
)
def test_minutes_keep_their_bounds_and_count_as_their_state_says(
    kind: str, state: str, version: int, minutes: int, counted: int, fits: bool
) -> None:  # transfer 2.4
    body = {
        "kind": kind,
        "state": state,
        "version": version,
        "minutes": minutes,
        "counted_minutes": counted,
        "detail": {},
    }
    assert minutes_are_in_bounds(body) is fits
    if kind in ("service", "training") and minutes == 1441:
        assert minutes_are_in_bounds(body | {"detail": {"evidence_class": "legacy"}})


def test_totals_are_named_as_on_the_wire() -> None:
    verdict = verify_export(
        ENTRIES, head=HEAD, custody_chain=CHAIN, directory=BOOK, verify=verify_signature
    )
    assert verdict.totals is not None and asdict(verdict.totals) == HEAD["body"]["totals"]
    assert envelope_of("release", {})["body"]["content"] == {}
