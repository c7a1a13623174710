"""A dossier under way: bundle after bundle, checked, adopted or taken away (protocol.md 7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.records.domain.dossiers.state import Totals
from services.records.domain.entries import read_body
from services.records.domain.heads import state_digest, state_line
from services.records.domain.staging import commands as c
from services.records.domain.staging import events as e
from services.records.domain.staging.decider import decide, evolve
from services.records.domain.staging.state import (
    Adopted,
    Discarded,
    Failed,
    Staged,
    StagingView,
    Unheard,
)
from shared import merkle
from shared.canonical import digest
from tests.domain.records import story as w
from tests.domain.records.story import T1, foreign_version, names

ONE = foreign_version("birch-01M4PSZ9M04JKNBNRKBQFY684T")
TWO = foreign_version("birch-01M4PSZ9M04JKNBNRKBQFY684V")
ROOT = merkle.root_of([bytes.fromhex(each.digest) for each in (ONE, TWO)]).hex()
STATE = state_digest([state_line(ONE), state_line(TWO)])
STORY = w.Story(opened=False)


class Course:
    """One staging, order by order."""

    def __init__(self) -> None:
        self.view = StagingView(Unheard(transfer_id=T1))

    def does(self, shape, **members):
        common = {"subject_id": w.LI_HUA, "transfer_id": T1, **STORY.common(w.SYSTEM)}
        events = decide(self.view, shape(**{**common, **members}))
        for event in events:
            self.view = evolve(self.view, event)
        return events

    def order(self, **changes):
        members = {
            "epoch": 1,
            "root": ROOT,
            "count": 2,
            "state_digest": STATE,
            "first_registered_on": w.date(2019, 3, 5),
            "homes": ("birch",),
            "path": "/internal/v1/objects/00",
        }
        return self.does(c.StageDossier, **{**members, **changes})

    def bundle(self, n: int, *versions, bundles: int = 2):
        entries = tuple(
            c.StagedEntry(signed={"body": each.body, "kid": "k", "sig": "s"}, version=each)
            for each in versions
        )
        return self.does(c.StageBundle, n=n, bundles=bundles, entries=entries)

    def finish(self, **changes):
        members = {
            "state_digest": STATE,
            "totals": Totals(credited_minutes=120),
            "cells": (),
            "stars": (),
            "shared": {TWO.key: 120},
        }
        return self.does(c.FinishStaging, **{**members, **changes})


def test_bundles_make_a_log_and_the_log_must_be_what_was_verified() -> None:
    course = Course()
    assert names(course.order()) == ["StagingBegun"]
    (first,) = course.bundle(0, ONE)
    (second,) = course.bundle(1, TWO)
    assert (first.first_index, second.first_index, second.log.count) == (0, 1, 2)
    (event,) = course.finish()
    assert isinstance(event, e.DossierStaged)
    assert (event.count, event.state_digest, event.shared) == (2, STATE, {TWO.key: 120})
    assert isinstance(course.view.row, Staged)
    assert course.view.row.log.totals.credited_minutes == 120


def test_an_empty_dossier_is_staged_too() -> None:
    course = Course()
    empty = {"count": 0, "root": merkle.EMPTY_ROOT.hex(), "state_digest": state_digest([])}
    course.order(**empty)
    (event,) = course.finish(state_digest=state_digest([]), shared={})
    assert isinstance(event, e.DossierStaged)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"count": 3}, "TR-402"),
        ({"root": "00" * 32}, "TR-403"),
        ({"state_digest": "00" * 32}, "TR-413"),
    ],
)
def test_what_comes_out_otherwise_fails_with_its_code(changes, code) -> None:
    course = Course()
    course.order(**changes)
    course.bundle(0, ONE)
    course.bundle(1, TWO)
    (event,) = course.finish()
    assert (type(event), event.code) == (e.StagingFailed, code)
    assert isinstance(course.view.row, Failed)
    assert course.order()[0].code == code  # answered again


def test_a_key_that_stands_here_with_other_content_fails() -> None:  # TR-411
    course = Course()
    course.order()
    stored = {(*ONE.key, 1): "00" * 32}
    course.view = replace(course.view, stored=stored)
    (event,) = course.bundle(0, ONE)
    assert event.code == "TR-411"


def test_what_stands_here_already_with_the_same_content_is_no_matter() -> None:  # R38
    course = Course()
    course.order()
    course.view = replace(course.view, stored={(*ONE.key, 1): ONE.digest})
    assert names(course.bundle(0, ONE)) == ["BundleStaged"]


def test_the_same_leaf_twice_fails_in_one_bundle_or_two() -> None:  # TR-411
    course = Course()
    course.order()
    (event,) = course.bundle(0, ONE, ONE)
    assert event.code == "TR-411"
    course = Course()
    course.order()
    course.bundle(0, ONE)
    (event,) = course.bundle(1, ONE)
    assert event.code == "TR-411"


def test_a_bundle_out_of_turn_and_one_for_a_discarded_staging_change_nothing() -> None:
    course = Course()
    assert course.bundle(0, ONE) == ()
    course.order()
    assert course.bundle(1, TWO) == ()
    course.bundle(0, ONE)
    assert course.bundle(0, ONE) == ()
    course.does(c.DiscardStaging)
    assert course.bundle(1, TWO) == ()
    assert course.finish() == ()


def test_an_order_for_a_move_that_ended_is_silence() -> None:
    course = Course()
    assert names(course.does(c.DiscardStaging, subject_id=None)) == ["StagingForestalled"]
    assert course.order() == ()
    assert isinstance(course.view.row, Discarded)
    assert course.does(c.DiscardStaging) == ()


def test_what_was_staged_is_taken_away_once_and_told_again() -> None:
    course = Course()
    course.order()
    (event,) = course.does(c.DiscardStaging)
    assert event.log_id is not None
    (again,) = course.does(c.DiscardStaging)
    assert (type(again), again.log_id) == (e.StagingDiscarded, None)


def test_a_staged_dossier_is_told_again_and_an_adopted_one_is_never_discarded() -> None:
    course = Course()
    course.order()
    course.bundle(0, ONE)
    course.bundle(1, TWO)
    course.finish()
    (again,) = course.order()
    assert (type(again), again.shared) == (e.DossierStaged, None)
    story = w.Story(opened=False)
    (adopted,) = story.does(story.adopt(state_digest=STATE), course.view)
    course.view = evolve(course.view, adopted)
    assert isinstance(course.view.row, Adopted)
    assert course.does(c.DiscardStaging) == ()
    assert course.order() == ()
    assert story.credited == 120


def test_bytes_that_cannot_be_read_are_told() -> None:
    course = Course()
    course.order()
    (event,) = course.does(c.FailStaging, code="TR-506")
    assert event.code == "TR-506"


def test_members_unknown_here_are_kept_byte_for_byte() -> None:  # R43, S43
    body = {**ONE.body, "from_the_future": 1}
    version = read_body(body, digest(body))
    course = Course()
    course.order()
    (event,) = course.bundle(0, version)
    assert event.entries[0].signed["body"]["from_the_future"] == 1
