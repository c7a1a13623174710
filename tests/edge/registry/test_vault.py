"""The vault: what it seals opens with its own keys alone; digests need the pepper."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from services.registry.domain.documents import Document
from services.registry.edge.vault import (
    ClaimRefIsWrong,
    Profile,
    Sealed,
    Vault,
    VaultIsBroken,
    identities_of,
    shown,
)
from services.registry.edge.verification import Checker, RosterFile
from shared.clock import FixedClock
from tests.domain.registry import world as w

DAY = date(2027, 3, 1)
KEK, PEPPER = b"v" * 32, b"p" * 32
VAULT = Vault(KEK, PEPPER)
PROFILE = Profile(person=w.person())


def test_a_profile_comes_back_as_it_was() -> None:
    sealed = VAULT.seal(PROFILE)
    assert VAULT.open(sealed) == PROFILE
    assert w.number().encode() not in sealed.profile


def test_two_persons_have_two_keys() -> None:
    one, two = VAULT.seal(PROFILE), VAULT.seal(PROFILE)
    with pytest.raises(VaultIsBroken):
        VAULT.open(replace(one, profile=two.profile))
    with pytest.raises(VaultIsBroken):
        VAULT.open(replace(one, wrapped_key=two.wrapped_key))


@pytest.mark.parametrize("part", ["wrapped_key", "profile"])
def test_a_changed_byte_does_not_open(part: str) -> None:
    sealed = VAULT.seal(PROFILE)
    raw = bytearray(getattr(sealed, part))
    raw[-1] ^= 1
    with pytest.raises(VaultIsBroken):
        VAULT.open(replace(sealed, **{part: bytes(raw)}))


def test_another_key_opens_nothing() -> None:
    sealed = VAULT.seal(PROFILE)
    with pytest.raises(VaultIsBroken):
        Vault(b"x" * 32, PEPPER).open(sealed)
    with pytest.raises(VaultIsBroken):
        VAULT.open(Sealed(secrets.token_hex(16), sealed.wrapped_key, sealed.profile))


def test_a_number_is_found_by_its_digest_under_the_pepper_alone() -> None:
    key = VAULT.key_of(Document("resident_id", w.number()), "李华", DAY)
    wide = Document("resident_id", f" {w.number()[:6]} {w.number()[6:]}")
    assert VAULT.key_of(wide, " 李华", DAY) == key
    other = VAULT.key_of(wide, "王强", DAY)
    assert (other.digest, other.named != key.named) == (key.digest, True)
    assert Vault(KEK, b"q" * 32).key_of(wide, "李华", DAY).digest != key.digest
    assert VAULT.key_of(Document("military", w.number()), "李华", DAY).digest != key.digest


def test_a_claim_reference_tells_nothing_and_is_ours() -> None:
    reference = VAULT.claim_ref(w.LI_HUA, w.AT)
    assert w.LI_HUA not in reference
    assert VAULT.read_claim_ref(reference) == (w.LI_HUA, w.AT + timedelta(hours=1))
    for wrong in (
        "",
        "zz",
        "00" * 40,
        reference[:-2],
        Vault(b"x" * 32, PEPPER).claim_ref("a", w.AT),
    ):
        with pytest.raises(ClaimRefIsWrong):
            VAULT.read_claim_ref(wrong)


def test_a_codes_key_is_bound_to_its_id() -> None:
    sealed = VAULT.seal_code_key(w.CODE, b"k" * 32)
    assert VAULT.open_code_key(w.CODE, sealed) == b"k" * 32
    with pytest.raises(VaultIsBroken):
        VAULT.open_code_key(w.OTHER_CODE, sealed)


def test_what_is_shown_is_masked() -> None:
    profile = shown(PROFILE)
    assert w.number() not in str(profile)
    assert profile["contact"]["phone"] == "138******00"


def test_identities_are_those_of_the_documents_that_have_one() -> None:
    documents = (
        Document("passport", "12AB34567", "FRA"),
        Document("resident_id", w.number()),
        Document("resident_id", "1"),
    )
    person = replace(w.person(), name="Anne", documents=documents)
    assert [each.split(b"\x1f")[1] for each in identities_of(person)] == [b"PPT", b"RIC"]
    assert identities_of(person)[0] == b"ANNE\x1fPPT\x1fFRA12AB34567"


def test_keys_are_shown_by_nothing() -> None:  # P0-7
    assert repr(VAULT) == "Vault()"
    assert "李华" not in repr(PROFILE)


# -- the real-name check -------------------------------------------------------------------------


def roster(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("type,number,name", *lines)), "utf-8")
    return path


async def test_the_roster_matches_by_number_and_name(tmp_path: Path) -> None:
    path = roster(tmp_path / "r.csv", f"resident_id,{w.number()},阿依古丽•买买提")
    port = RosterFile(path)
    number = w.number()
    assert await port.verify("resident_id", number, "阿依古丽·买买提") == "matched"
    assert await port.verify("resident_id", number, "买买提") == "mismatched"
    assert await port.verify("resident_id", w.number(125), "阿依古丽·买买提") == "mismatched"
    roster(path, f"resident_id,{w.number(125)},阿依古丽·买买提", "")
    assert await port.verify("resident_id", w.number(125), "阿依古丽·买买提") == "matched"


@pytest.mark.parametrize("content", ["a,b\n1,2", "type,number,name\nrubbish,1,2", "\xff\xfe"])
async def test_a_roster_that_cannot_be_read_is_unavailable(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.csv"
    port = RosterFile(path)
    assert await port.verify("resident_id", w.number(), "李华") == "unavailable"
    path.write_bytes(content.encode("latin-1"))
    assert await port.verify("resident_id", w.number(), "李华") == "unavailable"


class Slow:
    async def verify(self, *_: object) -> str:
        await asyncio.Event().wait()
        return "matched"


async def test_a_check_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.registry.edge.verification.PATIENCE_SECONDS", 0.01)
    checker = Checker(Slow(), FixedClock(w.AT))  # type: ignore[arg-type]
    check = await checker.person(w.person())
    assert check is not None
    assert check.result == "unavailable"


async def test_other_documents_and_cities_without_a_service_are_checked_by_hand() -> None:
    foreign = replace(w.person(), documents=(Document("passport", "12AB34567", "FRA"),))
    assert await Checker(Slow(), FixedClock(w.AT)).person(foreign) is None  # type: ignore[arg-type]
    assert await Checker(None, FixedClock(w.AT)).person(w.person()) is None
