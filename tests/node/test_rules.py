"""Whatever records can say of a row, the importer says in both languages."""

from __future__ import annotations

import inspect

import services.records.domain.rejections as rejections
from node.sheets import cells, columns, rows, rules
from shared.messages import Rejection

# Refusals that a row of a sheet cannot meet: they speak of entries, moves and decisions.
OTHERS = {
    "DossierExists", "DossierIsElsewhere", "EpochIsStale", "EntryIsUnknown", "OwnEntry",
    "RecordedByYou", "TierIsHigher", "PublicityIsRunning", "EntryIsNotPending",
    "EntryIsNotApproved", "EntryIsFinal", "VersionIsStale", "ProvenanceIsFixed", "NotYourEntry",
    "DisputeIsOpen", "ReasonIsMissing", "FencedByAnother", "DecisionIsMissing",
    "SupplementIsEarly",
}


def test_every_refusal_of_recording_has_words_in_both_languages() -> None:
    names = {name for name, kind in inspect.getmembers(rejections, inspect.isclass)
             if issubclass(kind, Rejection) and kind is not Rejection}
    assert names - OTHERS <= rules.HELD.keys()
    assert names >= OTHERS


def test_every_rule_that_a_cell_can_break_has_words() -> None:
    source = "".join(inspect.getsource(module) for module in (cells, rows, columns))
    for rule in rules.RULES:
        assert f'"{rule}"' in source, f"{rule} is never said"
    for zh, en in [*rules.RULES.values(), *rules.HELD.values()]:
        assert zh and en and zh != en


def test_a_rule_we_do_not_know_is_called_by_its_name() -> None:
    assert rules.words("SomethingNew") == ("SomethingNew", "SomethingNew")


def test_the_line_that_holds_the_same_fact_is_named() -> None:
    zh, en = rules.words("SameFactExists", 7)
    assert "第 7 行" in zh and "line 7" in en
    assert "{" not in "".join(rules.words("SameFactExists"))
