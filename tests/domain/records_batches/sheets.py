"""An import in memory, beside the dossier of its one volunteer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import count
from typing import Any
from uuid import UUID

from services.records.domain.batches import commands as c
from services.records.domain.batches.decider import decide, evolve
from services.records.domain.batches.events import BatchEvent
from services.records.domain.batches.state import EVIDENCE_CLASS, Batch, SameSheet
from services.records.domain.dossiers.commands import BatchRow, Source
from services.records.domain.dossiers.evolve import evolve as evolve_dossier
from shared.messages import Actor, Event, Rejection
from tests.domain.records.story import APPROVER, RECORDER, TEAM, Story, organisation

DIGEST = "d" * 64
_ids = count(10_000_000)


class SheetStory:
    """A batch and a dossier, moved by the same events as in the ledger."""

    def __init__(self, kind: Any = "spreadsheet", story: Story | None = None) -> None:
        self.kind = kind
        self.story = story or Story()
        self.batch = Batch(batch_id=f"{next(_ids):032x}", organisation=organisation())

    def does(self, command: c.BatchCommand) -> tuple[Event, ...]:
        ruling = self.rules(command)
        assert not isinstance(ruling, Rejection), ruling
        for event in ruling:
            if isinstance(event, BatchEvent):
                self.batch = evolve(self.batch, event)
            else:
                self.story.dossier = evolve_dossier(self.story.dossier, event)
        return ruling

    def refuses(self, command: c.BatchCommand) -> Rejection:
        ruling = self.rules(command)
        assert isinstance(ruling, Rejection), ruling
        return ruling

    def rules(self, command: c.BatchCommand) -> Any:
        return decide(self.batch, command, self.story.city, self.story.dossier)

    def head(self, actor: Actor) -> dict[str, Any]:
        return {
            "command_id": UUID(int=next(_ids)),
            "actor": actor,
            "at": self.story.now,
            "batch_id": self.batch.batch_id,
        }

    def open(self, actor: Actor = RECORDER, **changes: Any) -> c.OpenBatch:
        values = {
            "kind": self.kind,
            "organisation_id": TEAM,
            "sheet_digest": DIGEST,
            "rows": 3,
            **changes,
        }
        return c.OpenBatch(**self.head(actor), **values)

    def row(self, row_no: int = 1, actor: Actor = RECORDER, **facts: Any) -> c.ImportRow:
        head = self.head(actor)
        final = facts.pop("final", False)
        sheet = self.batch.row.sheet  # type: ignore[union-attr]
        given = {
            "start": None,
            "end": None,
            "occurred_on": date(2026, 9, 19),
            "minutes": 120,
            **facts,
        }
        record = self.story.service(
            given.pop("start"),
            given.pop("end"),
            actor=actor,
            evidence_class=EVIDENCE_CLASS[self.kind],
            source=given.pop("source", None)
            or Source(system=self.kind, id=f"{sheet.sheet_digest}/{row_no}"),
            batch=BatchRow(
                batch_id=self.batch.batch_id,
                row_no=row_no,
                opened_at=sheet.opened_at,
                decision_id=sheet.decision_id,
            ),
            **given,
        )
        record = replace(record, command_id=head["command_id"])
        return c.ImportRow(**head, row_no=row_no, record=record, final=final)

    def held(self, row_no: int, reason: str = "PersonIsUnknown") -> c.ImportRow:
        return c.ImportRow(
            **self.head(RECORDER), row_no=row_no, held_reason=reason, held_field="document_number"
        )

    def close(self, actor: Actor = RECORDER) -> c.CloseBatch:
        return c.CloseBatch(**self.head(actor))

    def approve(self, actor: Actor = APPROVER) -> c.ApproveBatch:
        return c.ApproveBatch(**self.head(actor))

    def reject(self, actor: Actor = APPROVER, reason: str = "not_present") -> c.RejectBatch:
        return c.RejectBatch(**self.head(actor), reason_code=reason)

    def revoke(self, actor: Actor = RECORDER, **changes: Any) -> c.RevokeBatch:
        return c.RevokeBatch(**self.head(actor), **{"reason": "duplicate", **changes})

    def decide_row(self, row_no: int, actor: Actor = APPROVER) -> c.DecideRow:
        done = self.batch.rows[row_no]
        entry = self.story.approve((self.story.city.node, done.entry_id), actor)
        return c.DecideRow(**self.head(actor), row_no=row_no, decision="approve", entry=entry)

    def same_sheet(self, opened_by: str, open_: bool) -> SheetStory:
        """The same file once more, under another batch id."""
        again = SheetStory(self.kind, self.story)
        again.batch = replace(
            again.batch,
            same_sheet=SameSheet(batch_id=self.batch.batch_id, opened_by=opened_by, open=open_),
        )
        return again


def filled(rows: int = 3, **opening: Any) -> SheetStory:
    """A sheet of so many rows, each on a day of its own, all imported."""
    sheet = SheetStory()
    sheet.does(sheet.open(rows=rows, **opening))
    for number in range(1, rows + 1):
        sheet.does(sheet.row(number, occurred_on=date(2026, 9, number)))
    return sheet


def closed(rows: int = 3, **opening: Any) -> SheetStory:
    sheet = filled(rows, **opening)
    sheet.does(sheet.close())
    return sheet
