"""Whatever records can say of a row, the importer says in both languages."""

from __future__ import annotations

import inspect
from datetime import UTC, date, datetime

import pytest

import services.records.domain.rejections as rejections
from node.sheets import cells, columns, rows, rules
from services.records.domain.dossiers.commands import Place, ServiceFacts
from services.records.domain.dossiers.facts_of_service import Judged, judge_service
from services.records.edge.batch_rows import read_row
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


def test_every_column_says_what_it_takes_within_its_bounds() -> None:
    assert rules.COLUMN_RULES.keys() == columns.BY_FIELD.keys()
    for field in columns.BY_FIELD:
        for rule in ("FieldIsWrong", "too_long", "wrong_form", "out_of_range"):
            zh, en = rules.words(rule, field=field)
            assert zh != en and "{" not in zh + en


def judged(field: str, value: object) -> Judged | Rejection:
    """What records' own rule says of a service with this value."""
    place = {"region_code": "500103", "name": None}
    facts: dict[str, object] = {"activity_name": "清洁", "category": "service", "distinct": 1}
    if field in ("place_name", "region_code"):
        place[field.removeprefix("place_")] = str(value)
    else:
        facts[field] = value
    return judge_service(
        ServiceFacts(place=Place(**place), occurred_on=date(2027, 3, 1), minutes=60,  # type: ignore[arg-type]
                     **facts),  # type: ignore[arg-type]
        "batch_import", datetime(2027, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize("field", ["activity_name", "project_name", "place_name", "content"])
def test_a_text_may_be_as_long_as_records_takes_it(field: str) -> None:
    limit = columns.BY_FIELD[field].limit
    assert isinstance(judged(field, "活" * limit), Judged)
    assert isinstance(judged(field, "活" * (limit + 1)), rejections.FieldIsWrong)


@pytest.mark.parametrize(("field", "value"), [
    ("region_code", "500103"), ("region_code", "50010"), ("region_code", "渝中区"),
    ("field_code", "a" * 40), ("field_code", "a" * 41), ("field_code", "Abc"),
    ("field_code", "a b"), ("distinct", "1"),
    ("distinct", "99"), ("distinct", "100"), ("distinct", "0")])
def test_a_form_or_range_is_the_one_of_records(field: str, value: str) -> None:
    try:
        taken = (cells.whole if field == "distinct" else cells.text)(field, value)
    except cells.CellIsWrong as wrong:
        assert wrong.rule in ("wrong_form", "out_of_range")
        taken = None
    said = judged(field, int(value) if field == "distinct" else value)
    assert isinstance(said, Judged) == (taken is not None)


@pytest.mark.parametrize("minutes", [0, 1_440, 1_441])
def test_a_break_is_as_long_as_records_takes_it(minutes: int) -> None:
    row = read_row({"row_no": 1, "document": {"type": "resident_id", "number": "1"},
                    "activity_name": "清洁", "break_minutes": minutes,
                    "started_at": "2027-03-01T01:00:00Z", "ended_at": "2027-03-02T02:00:00Z"},
                   "500103")
    assert row is not None
    try:
        cells.whole("break_minutes", minutes)
    except cells.CellIsWrong:
        assert row.held is not None and row.held.field == "break_minutes"
    else:
        assert row.held is None


def test_a_rule_we_do_not_know_is_called_by_its_name() -> None:
    assert rules.words("SomethingNew") == ("SomethingNew", "SomethingNew")


def test_the_line_that_holds_the_same_fact_is_named() -> None:
    zh, en = rules.words("SameFactExists", 7)
    assert "第 7 行" in zh and "line 7" in en
    assert "{" not in "".join(rules.words("SameFactExists"))
