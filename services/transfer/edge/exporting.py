"""How does a volunteer take the whole dossier along? Entries, a head signed now, the chain.

The shape is that of the published dossiers, so that anybody with the directory can verify it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from services.transfer.domain import office_commands
from services.transfer.domain.rejections import DossierIsNotHere
from services.transfer.edge.inbox import ACTOR
from services.transfer.edge.records import Records, line
from services.transfer.edge.store import Moves
from shared.clock import Clock
from shared.ids import request_command_id
from shared.internal_http import Refused
from shared.ledger import LedgerApi
from shared.messages import Rejection, Unavailable
from shared.problems import Problem, not_found, of_rejection


class Exports:
    """Made on request, a page at a time; nothing of it is kept."""

    def __init__(
        self,
        city: str,
        ledger: Callable[[], LedgerApi],
        moves: Moves,
        records: Records,
        clock: Clock,
    ) -> None:
        self._city = city
        self._ledger = ledger
        self._moves = moves
        self._records = records
        self._clock = clock

    async def of(self, subject_id: str) -> AsyncIterator[bytes]:
        """The document in pieces; raises ``Problem`` before the first if there is none.

        A frozen dossier is exported as it stood at the freeze. One whose custody is elsewhere is
        not, from the release on: records may hear of that a moment after the chain.
        """
        chain = await self._moves.chain(subject_id)
        home = chain[-1]["body"]["home"] if chain else self._city
        if home != self._city:
            raise of_rejection(DossierIsNotHere(home=home))
        try:
            found = await self._records.head(subject_id)
        except Refused as no:
            raise _absent(no, certified=bool(chain)) from None
        if not chain:
            chain = await self._signed(subject_id)
        head, log_id = found["head"], found["log_id"]
        pages = self._records.log(subject_id, log_id, head["body"]["count"])
        # The first page now: what goes wrong is still an answer of its own.
        first: list[Mapping[str, Any]] = await anext(pages, [])
        return _document(head, chain, first, pages)

    async def _signed(self, subject_id: str) -> list[dict[str, Any]]:
        """A dossier opened here gets its genesis certificate at its first export."""
        at = self._clock.now()
        outcome = await self._ledger().submit(
            office_commands.SignGenesis(
                command_id=request_command_id("transfer", "genesis", f"{subject_id}:{at}"),
                actor=ACTOR,
                at=at,
                correlation_id=subject_id,
                subject_id=subject_id,
            )
        )
        if isinstance(outcome, Rejection):
            raise of_rejection(outcome)
        return await self._moves.chain(subject_id)


def _absent(no: Refused, *, certified: bool) -> Problem | Unavailable:
    """What records' refusal means to the volunteer; ``certified``: the chain ends in this city."""
    if no.slug not in ("not-found", "dossier-is-elsewhere"):
        raise no
    if certified:
        return Unavailable("the dossier has been released to this city and is being taken up", 5)
    if no.slug == "dossier-is-elsewhere":
        return of_rejection(DossierIsNotHere(home=str(no.problem["city"])))
    return not_found()


async def _document(
    head: Any, chain: list[dict[str, Any]], first: Any, pages: AsyncIterator[Any]
) -> AsyncIterator[bytes]:
    yield b'{"custody_chain":' + json.dumps(chain, ensure_ascii=False).encode() + b',"entries":['
    comma = b""
    for entry in first:
        yield comma + line(entry)
        comma = b","
    async for page in pages:
        for entry in page:
            yield comma + line(entry)
            comma = b","
    yield b'],"head":' + json.dumps(head, ensure_ascii=False).encode() + b"}"
