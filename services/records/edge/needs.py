"""Which part of a dossier does each command need to see, known before anything is read?"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers.recording import claim_keys, natural_key
from services.records.domain.entries import read_body
from services.records.edge.window import Need
from shared.clock import local_day, read
from shared.messages import Command, Unreadable


def need_of(command: Command) -> Need:
    """What a command about a dossier reads beside the dossier's row."""
    match command:
        case c.RecordService():
            return _service(command)
        case c.RecordTraining() | c.RecordStar():
            keys, _ = claim_keys(command, natural_key(command))
            organisations = (
                {command.organisation_id} if isinstance(command, c.RecordTraining) else set()
            )
            return Need(claims=set(keys), organisations=organisations)
        case c.CorrectEntry():
            return _correction(command)
        case c.EntryCommand():
            return _entry(command)
        case c.FreezeDossier():
            # The fence of a move that was aborted comes down first: what is held joins.
            return Need(held=True, lines=True)
        case c.ThawDossier():
            return Need(held=True)
        case c.ApplyLateChange(entries=entries) | c.ReleaseQuarantined(entries=entries):
            return _arriving(entries)
        case _:
            return Need()


def _service(command: c.RecordService) -> Need:
    facts = command.facts
    keys, _ = claim_keys(command, natural_key(command))
    need = Need(claims=set(keys), organisations={command.organisation_id})
    if facts.started_at is not None and facts.ended_at is not None:
        need.spans = [(facts.started_at, facts.ended_at)]
        need.days = _days(facts.started_at)
    elif facts.occurred_on is not None:
        need.days = {facts.occurred_on}
    return need


def _entry(command: c.EntryCommand) -> Need:
    return Need(entries={(command.issuer, command.entry_id)}, claims_of={command.entry_id})


def _correction(command: c.CorrectEntry) -> Need:
    need = _entry(command)
    times = _times(command.changes)
    need.corrections = [((command.issuer, command.entry_id), times)]
    for each in times.values():
        need.days |= _days(each)
    day = command.changes.get("occurred_on")
    if isinstance(day, date) and not isinstance(day, datetime):
        need.days.add(day)
    elif isinstance(day, str):
        # What is no date the decider names.
        with suppress(ValueError):
            need.days.add(date.fromisoformat(day))
    return need


def _arriving(entries: tuple[c.JudgedEntry, ...]) -> Need:
    need = Need(entries={(each.issuer, each.entry_id) for each in entries})
    for each in entries:
        if each.code is None:
            version = read_body(each.signed["body"], each.digest)
            if version.started_at is not None and version.ended_at is not None:
                need.spans.append((version.started_at, version.ended_at))
            if version.reduces is not None:
                need.entries.add(version.reduces)
    return need


def _times(changes: Mapping[str, Any]) -> dict[str, datetime]:
    times: dict[str, datetime] = {}
    for name in ("started_at", "ended_at"):
        value = changes.get(name)
        if isinstance(value, datetime):
            times[name] = value
        elif isinstance(value, str):
            with suppress(Unreadable):
                times[name] = read(value)
    return times


def _days(started_at: datetime) -> set[date]:
    """At most 1,440 minutes lie on the first day and the next: breaks come off the last first."""
    first = local_day(started_at)
    return {first, first + timedelta(days=1)}
