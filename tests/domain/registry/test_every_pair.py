"""Every command meets every state: events, silence or a refusal; never a fall-through."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from services.registry.contract.types import TYPES
from services.registry.domain import rejections
from services.registry.domain.applicants.commands import ApplicantCommand
from services.registry.domain.codes.commands import CodeCommand
from services.registry.domain.logins.commands import (
    ExchangeToken,
    LoginCommand,
    MoveLogin,
    ReviseDocument,
)
from services.registry.domain.logins.events import Owner
from services.registry.domain.organisations.commands import OrganisationCommand
from services.registry.domain.policies.commands import PolicyCommand
from services.registry.domain.volunteers.commands import VolunteerCommand
from services.registry.edge import ledger_side, shapes
from shared.messages import Event, Rejection
from tests.domain.registry import test_applicants as ta
from tests.domain.registry import test_codes as tc
from tests.domain.registry import test_organisations as to
from tests.domain.registry import test_policies as tp
from tests.domain.registry import test_volunteers as tv
from tests.domain.registry import world as w

MOVE_LOGIN = MoveLogin(
    **w.meta(w.SYSTEM), login_id="li-hua", applicant_ref=w.APPLICANT, subject_id=w.LI_HUA
)
FREE = ReviseDocument(**w.meta(w.SYSTEM), document_digest="digest-123", freed=w.APPLICANT)
POINT = ReviseDocument(
    **w.meta(w.SYSTEM),
    document_digest="digest-123",
    owner=Owner("subject", w.LI_HUA),
    elsewhere=w.CHENGDU,
)
COMMANDS: list[Any] = [
    w.register(),
    w.register(actor=w.ADMIN, login_id=None, organisation_id=w.ORGANISATION),
    tv.claim(),
    tv.verify(),
    tv.give(),
    tv.withdraw("consent-1"),
    w.take_code(),
    tv.hold(),
    tv.depart(),
    tv.link(),
    w.apply(),
    ta.verify(),
    ta.prove(),
    ta.note(),
    ta.end(),
    ta.drop(),
    ta.forget(),
    w.organisation(),
    to.file(),
    to.sanction(),
    tp.propose(),
    tp.confirm(),
    tp.publish(),
    w.check_identity(),
    tc.end(),
    tc.settle(),
    ExchangeToken(**w.meta(w.LOGIN), login_id="li-hua"),
    MOVE_LOGIN,
    FREE,
    POINT,
]
STORIES: dict[str, tuple[Any, ...]] = {
    "nothing": (),
    "registered": (w.register(),),
    "by proxy": tv.BY_PROXY,
    "claimed": (*tv.BY_PROXY, tv.claim()),
    "departed": (w.register(), tv.depart()),
    "with a code": tc.HAS_A_CODE,
    "code bound": (*tc.HAS_A_CODE, w.check_identity()),
    "code spent": (*tc.HAS_A_CODE, w.check_identity(), tc.end(), tc.settle(outcome="spent")),
    "applied": (w.apply(),),
    "proved": (w.apply(), ta.verify(), ta.prove()),
    "ended": (w.apply(), ta.end()),
    "forgotten": (w.apply(), ta.end(), ta.forget()),
    "linked": (w.apply(), tv.link()),
    "seen": (ta.note(),),
    "organisation": (w.organisation(),),
    "filed": (to.file(),),
    "stopped": (w.organisation(), to.sanction()),
    "proposed": (tp.propose(),),
    "published": (tp.publish(),),
}


def state_of(story: tuple[Any, ...]) -> w.State:
    state: w.State = {}
    for event in w.state_after(*story):
        state = w.evolve(state, event)
    return state


def test_every_command_is_among_these() -> None:
    unions = (
        VolunteerCommand,
        ApplicantCommand,
        OrganisationCommand,
        PolicyCommand,
        CodeCommand,
        LoginCommand,
    )
    known = {kind for union in unions for kind in get_args(union)}
    assert known == {type(each) for each in COMMANDS}


@pytest.mark.parametrize("story", STORIES)
def test_every_pair_has_an_answer(story: str) -> None:
    state = state_of(STORIES[story])
    for command in COMMANDS:
        decided = w.decide(state, command)
        assert isinstance(decided, tuple | Rejection), type(command).__name__
        if isinstance(decided, tuple):
            after = state
            for event in decided:
                after = w.evolve(after, event)


@pytest.mark.parametrize("story", STORIES)
def test_every_event_folds_into_every_state(story: str) -> None:
    state = state_of(STORIES[story])
    events = {type(each): each for other in STORIES.values() for each in w.state_after(*other)}
    for event in events.values():
        after = w.evolve(state, event)
        assert after.keys() >= state.keys()


@pytest.mark.parametrize("story", STORIES)
def test_every_state_comes_back_from_its_row(story: str) -> None:
    for target, state in state_of(STORIES[story]).items():
        row = None if state is None else shapes.row_of(target.kind, state)
        assert shapes.state_of(target.kind, row) == shapes.without_window(state)


def test_every_event_has_a_type_an_aggregate_and_a_wire_form() -> None:
    seen: dict[type[Event], Event] = {}
    for story in STORIES.values():
        seen |= {type(each): each for each in w.state_after(*story)}
    for event in seen.values():
        assert ledger_side.belongs(event)
        assert type(event) in TYPES.values()
    # Those that only a longer story brings have tests of their own.
    missing = {each.__name__ for each in TYPES.values()} - {each.__name__ for each in seen}
    assert missing <= {
        "ClaimFailed",
        "ConsentWithdrawn",
        "HoldPlaced",
        "ApplicationResumed",
        "CodeDropped",
        "CodeCancelled",
        "DocumentFreed",
        "IdentityDenied",
        "TokenIssued",
    }


def test_every_refusal_speaks_both_languages_and_quotes_nothing() -> None:
    kinds = [
        each
        for each in vars(rejections).values()
        if isinstance(each, type) and issubclass(each, Rejection) and each is not Rejection
    ]
    assert len(kinds) > 30
    for kind in kinds:
        filler = dict.fromkeys(kind.__dataclass_fields__, "x")
        for text in (kind.zh, kind.en):
            assert text.format_map(filler)
        assert any("一" <= character <= "鿿" for character in kind.zh)
