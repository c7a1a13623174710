"""Are the own copies of organisations and policies what registry told, whatever comes twice?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from services.records.domain import keeping as k
from tests.domain.records import story as w

STORY = w.Story(opened=False)


def keep(organisation=None) -> k.KeepOrganisation:
    return k.KeepOrganisation(
        organisation=organisation or w.organisation(), **STORY.common(w.SYSTEM)
    )


def sanction(since: str = "2026-09-01") -> k.KeepSanction:
    return k.KeepSanction(
        organisation_id=w.TEAM,
        sanction=w.sanction(date.fromisoformat(since)),
        **STORY.common(w.SYSTEM),
    )


def after(*commands: k.KeepingCommand) -> k.Kept:
    kept: k.Kept = k.KeptOrganisation()
    for command in commands:
        for event in k.decide(kept, command):
            kept = k.evolve(kept, event)
    return kept


def test_an_organisation_told_of_again_is_silence():
    assert k.decide(after(keep()), keep()) == ()


def test_a_sanction_stops_from_its_day_on_and_is_heard_once():  # R18
    kept = after(keep(), sanction())
    assert isinstance(kept, k.KeptOrganisation) and kept.organisation is not None
    assert kept.organisation.stopped_on(date(2026, 8, 31)) is None
    assert kept.organisation.stopped_on(date(2026, 9, 1)) == "stop_and_rectify"
    assert k.decide(kept, sanction()) == ()


def test_a_later_word_on_the_same_decision_replaces_it():
    kept = after(keep(), sanction(), sanction("2026-10-01"))
    assert isinstance(kept, k.KeptOrganisation) and kept.organisation is not None
    assert len(kept.organisation.sanctions) == 1
    assert kept.organisation.stopped_on(date(2026, 9, 1)) is None


def test_an_organisation_told_of_anew_keeps_its_sanctions():
    renamed = replace(w.organisation(), name="晨光志愿服务协会")
    kept = after(keep(), sanction(), keep(renamed))
    assert isinstance(kept, k.KeptOrganisation) and kept.organisation is not None
    assert (kept.organisation.name, len(kept.organisation.sanctions)) == ("晨光志愿服务协会", 1)


def test_a_sanction_of_nobody_known_is_silence():
    assert k.decide(k.KeptOrganisation(), sanction()) == ()


def test_versions_of_a_policy_are_kept_once_and_in_order():  # R48
    second, first = w.recording_policy(2, "2027-01-01"), w.recording_policy()
    kept: k.Kept = k.KeptPolicy()
    for policy in (second, first, second):
        command = k.KeepPolicy(policy=policy, **STORY.common(w.SYSTEM))
        for event in k.decide(kept, command):
            kept = k.evolve(kept, event)
    assert isinstance(kept, k.KeptPolicy)
    assert [one.version for one in kept.versions] == [1, 2]
