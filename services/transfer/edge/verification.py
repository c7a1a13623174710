"""How does the destination judge an offer's bundles without holding up its process?

Slices of 100 leaves in a thread; between them the event loop ticks. One bundle is in memory at a
time; rows go to a file that is deleted at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.transfer.domain.directory import Directory
from services.transfer.domain.verify import Verdict, Verification, judge_lines, slices
from services.transfer.domain.verify_offer import homes_of
from services.transfer.edge.scratch import FileScratch
from services.transfer.edge.signatures import verify_signature


async def verify_bundles(
    bundles: AsyncIterable[tuple[bytes, int]],
    *,
    head: Mapping[str, Any],
    custody_chain: Sequence[Mapping[str, Any]],
    directory: Directory,
    receipts: Iterable[Mapping[str, Any]] = (),
    heads: Iterable[Mapping[str, Any]] = (),
    folder: Path | None = None,
) -> Verdict:
    """Checks 8–13 over (plain bytes, leaves that the offer lists) of each bundle, in order.

    Head and chain have passed checks 2–5. ``receipts`` and ``heads`` are what this city or the
    volunteer holds of the same log.
    """
    scratch = await asyncio.to_thread(FileScratch, folder)
    with scratch:
        verification = Verification(
            head=head,
            homes=homes_of(custody_chain),
            directory=directory,
            verify=verify_signature,
            scratch=scratch,
            receipts=receipts,
            heads=heads,
        )
        async for plain, entries in bundles:
            lines = 0
            for part in slices(plain):
                flaw = await asyncio.to_thread(_judge, verification, part)
                if flaw is not None:
                    return verification.stopped(flaw)
                lines += len(part)
            flaw = judge_lines(plain, lines, entries)
            if flaw is not None:
                return verification.stopped(flaw)
        return await asyncio.to_thread(verification.conclude)


def _judge(verification: Verification, part: Sequence[bytes]) -> Any:
    return verification.take(verification.examine(part))
