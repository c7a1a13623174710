"""What must be read of the entries before a command is decided, and never more? (architecture.md 3)

Read after the aggregates' rows, set-wise for all commands of a batch: the entries that commands
name, what their old and new intervals meet, what these meet, the days' minutes, the claims.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from services.records.domain.dossiers.state import Dossier, Present, Row, Window
from services.records.domain.entries import EntryKey
from services.records.edge import window_rows as rows_of
from services.records.edge.needed import Need, Span, View
from shared.postgres import Connection, fetch_together

TEN_YEARS_SECONDS: Final = 10 * 366 * 86_400


async def load_dossiers(
    connection: Connection, rows: Mapping[str, Row], needs: Mapping[str, Need], node: str
) -> dict[str, Dossier]:
    """The dossiers of a batch, each with its window; ``rows`` by subject."""
    views = [
        _view(subject, row, needs.get(subject) or Need(), node) for subject, row in rows.items()
    ]
    adopted = [_staged(view, log_id) for view in views for log_id in sorted(view.need.staged)]
    every = [*views, *adopted]
    asked = {each for view in views for each in view.need.organisations}
    versions, cards, claimed, named, policies = await fetch_together(
        connection,
        [
            rows_of.versions_of(every),
            rows_of.cards_of(every, {view.log_id: view.need.entries for view in every}),
            rows_of.claims_of(views),
            rows_of.organisations_named(asked),
            rows_of.POLICIES,
        ],
    )
    rows_of.take_versions(every, versions)
    rows_of.take_cards(every, cards)
    await rows_of.read_held(connection, every)
    # These need the times, days and recorders of the versions.
    cards, met, counted, reducing, recorders = await fetch_together(
        connection,
        [
            rows_of.cards_of(every, {view.log_id: _more_keys(view) for view in every}),
            rows_of.meeting(every, {view.log_id: view.seeds() for view in every}),
            rows_of.on_days(every),
            rows_of.adjustments(every),
            rows_of.organisations_named(rows_of.recorders_of(views) - asked),
        ],
    )
    rows_of.take_cards(every, cards)
    new = rows_of.take_cards(every, met)
    for more in (counted, reducing):
        rows_of.take_cards(every, more)
    # What is met meets others, and no further.
    met_spans = {log_id: rows_of.spans_of(found) for log_id, found in new.items()}
    (met,) = await fetch_together(connection, [rows_of.meeting(every, met_spans)])
    rows_of.take_cards(every, met)
    await rows_of.read_whole(connection, every)
    claims = rows_of.take_claims(views, claimed)
    organisations = rows_of.take_organisations([*named, *recorders])
    kept_policies = rows_of.take_policies(policies)
    later: dict[str, dict[str, Window]] = defaultdict(dict)
    for view in adopted:
        later[view.subject_id][view.log_id] = _window(view)
    return {
        view.subject_id: Dossier(
            view.row,
            _window(
                view,
                claims=claims[view.subject_id],
                organisations=organisations,
                policies=kept_policies,
                adopted=later[view.subject_id],
            ),
        )
        for view in views
    }


def _view(subject_id: str, row: Row, need: Need, node: str) -> View:
    return View(
        subject_id=subject_id,
        row=row,
        # No log: a name that no log has, so that nothing is found under it.
        log_id=row.log.log_id if isinstance(row, Present) else f"none-{subject_id}",
        longest=row.log.longest_seconds if isinstance(row, Present) else 0,
        count=row.log.count if isinstance(row, Present) else 0,
        epoch=row.epoch if isinstance(row, Present) else 0,
        need=need,
        node=node,
    )


def _staged(view: View, log_id: str) -> View:
    return View(
        subject_id=view.subject_id,
        row=view.row,
        log_id=log_id,
        # Both stand in the staging's row, not here. Too long only widens what is read.
        longest=TEN_YEARS_SECONDS,
        count=0,
        epoch=-1,
        need=view.need,
        node=view.node,
    )


def _more_keys(view: View) -> set[EntryKey]:
    """Beyond the named entries: what is held, and what is reduced by what is known."""
    keys = {version.key for version in view.held}
    for known in view.known.values():
        keys |= {each.version.reduces for each in known if each.version.reduces}
    keys |= {version.reduces for version in view.held if version.reduces}
    return keys - view.need.entries


def _window(view: View, **more: Any) -> Window:
    return Window(
        cards=view.cards,
        known={key: tuple(known) for key, known in view.known.items()},
        held=tuple(view.held),
        lines=view.lines,
        whole=view.need.whole,
        **more,
    )


__all__ = ["Need", "Span", "load_dossiers"]
