"""Logins and documents: to whom they belong, and what changes that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.registry.domain import rejections as no
from services.registry.domain.logins import events as e
from services.registry.domain.logins.commands import ExchangeToken, ReviseDocument
from services.registry.domain.logins.events import Owner
from tests.domain.registry import world as w
from tests.domain.registry.test_every_pair import FREE, MOVE_LOGIN, POINT
from tests.domain.registry.world import given, state_after

HER = Owner("subject", w.LI_HUA)


def test_an_exchange_is_kept() -> None:
    given().when(ExchangeToken(**w.meta(w.LOGIN), login_id="li-hua")).emits(
        e.TokenIssued(login_id="li-hua", at=w.AT)
    )


def test_the_login_follows_the_applicant_once() -> None:
    moved = given(*state_after(w.apply())).when(MOVE_LOGIN)
    moved.emits(e.LoginBound(login_id="li-hua", owner=HER))
    moved.after.when(MOVE_LOGIN).is_quiet()
    given().when(MOVE_LOGIN).is_quiet()


def test_a_login_that_went_elsewhere_meanwhile_stays_there() -> None:
    elsewhere = e.LoginBound(login_id="li-hua", owner=Owner("subject", w.WANG))
    given(*state_after(w.apply()), elsewhere).when(MOVE_LOGIN).is_quiet()


def test_a_document_is_freed_by_its_own_application_only() -> None:
    story = given(*state_after(w.apply()))
    freed = story.when(FREE)
    freed.emits(e.DocumentFreed(document_digest="digest-123", applicant_ref=w.APPLICANT))
    freed.after.when(FREE).is_quiet()
    story.when(replace(FREE, freed="b" * 32)).is_quiet()


def test_a_document_points_to_where_its_person_went() -> None:
    pointed = given(*state_after(w.register())).when(POINT)
    pointed.emits(e.DocumentTaken(document_digest="digest-123", owner=HER, elsewhere=w.CHENGDU))
    pointed.after.when(POINT).is_quiet()


@pytest.mark.parametrize("command", [MOVE_LOGIN, FREE, POINT])
def test_only_the_service_itself_moves_them(command: ReviseDocument) -> None:
    story = given(*state_after(w.apply()))
    story.when(replace(command, actor=w.LOGIN)).is_refused(no.ActorMayNot())
