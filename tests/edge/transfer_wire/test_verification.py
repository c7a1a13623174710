"""Does the destination's pass over the bundles give the pure verdict, and let the loop tick?"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.transfer.domain.bundles import Plain, cut
from services.transfer.domain.credit import credited
from services.transfer.domain.entry_form import Leaf, judge_leaf
from services.transfer.domain.verify_sums import MemoryScratch, Scratch, state_digest, sums
from services.transfer.edge.scratch import FileScratch
from services.transfer.edge.signatures import verify_signature
from services.transfer.edge.verification import verify_bundles
from shared.canonical import canonical
from tests.support.logs import CHAIN, SUBJECT, entry, head_over, log
from tests.support.vectors import directory, vectors

BOOK = directory()
ENTRIES = list(log(1201))
HEAD = head_over(ENTRIES)


async def given(plains: Sequence[Plain]) -> AsyncIterator[tuple[bytes, int]]:
    for plain in plains:
        yield plain.data, plain.leaves


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def judged(entries: Sequence[Any], folder: Path, head: Any = HEAD, **members: Any) -> Any:
    plains = list(cut((canonical(one) for one in entries), 1_048_576))
    return await verify_bundles(
        given(plains),
        head=head,
        custody_chain=CHAIN,
        directory=BOOK,
        folder=folder,
        **members,
    )


async def test_three_bundles_are_judged_as_one_log(tmp_path: Path) -> None:  # D9, INV-5
    verdict = await judged(ENTRIES, tmp_path)
    assert verdict.flaw is None
    assert (verdict.count, verdict.root) == (1201, HEAD["body"]["root"])
    assert verdict.state_digest == HEAD["body"]["state_digest"]
    assert left_in(tmp_path) == [], "the scratch file is gone"


async def test_a_flaw_ends_the_pass_and_its_file(tmp_path: Path) -> None:  # D10
    for entries, code in (
        ([*ENTRIES[:700], ENTRIES[3], *ENTRIES[701:]], "TR-411"),
        ([*ENTRIES[:700], ENTRIES[701], ENTRIES[700], *ENTRIES[702:]], "TR-403"),
        (ENTRIES[:-1], "TR-402"),
        ([*ENTRIES[:-1], entry(5000)], "TR-409"),
    ):
        verdict = await judged(entries, tmp_path)
        assert verdict.flaw is not None and verdict.flaw.code == code
        assert left_in(tmp_path) == []


async def test_a_bundle_is_not_what_the_offer_lists(tmp_path: Path) -> None:  # check 8
    (plain,) = cut((canonical(one) for one in ENTRIES[:10]), 1_048_576)
    for data, leaves, code in (
        (plain.data[:-1], 10, "TR-401"),
        (plain.data, 9, "TR-402"),
        (plain.data, 11, "TR-402"),
        (b"", 10, "TR-401"),
        (b"\n", 1, "TR-401"),
        (plain.data.replace(b'"amber"', b'"birch"', 1), 10, "TR-404"),
    ):
        verdict = await verify_bundles(
            given([Plain(0, 0, leaves, data)]),
            head=HEAD,
            custody_chain=CHAIN,
            directory=BOOK,
            folder=tmp_path,
        )
        assert verdict.flaw is not None and verdict.flaw.code == code


async def test_an_empty_dossier_has_no_bundle(tmp_path: Path) -> None:  # D5a, B45
    verdict = await judged([], tmp_path, head_over([]))
    assert verdict.flaw is None and verdict.count == 0


async def test_what_the_volunteer_holds_is_compared(tmp_path: Path) -> None:  # check 13
    verdict = await judged(ENTRIES, tmp_path, heads=[head_over(ENTRIES[:1000])])
    assert verdict.flaw is None
    other = head_over([*ENTRIES[:999], ENTRIES[1000]])
    verdict = await judged(ENTRIES, tmp_path, heads=[other])
    assert verdict.flaw is not None and verdict.flaw.code == "TR-406"


async def test_the_event_loop_ticks_while_a_dossier_is_judged(tmp_path: Path) -> None:
    ticks: list[float] = []  # section 14: every 50 ms at most; four times that on a busy machine
    done = asyncio.Event()

    async def tick() -> None:
        while not done.is_set():
            ticks.append(time.monotonic())
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    verdict = await judged(ENTRIES, tmp_path)
    done.set()
    await ticking
    assert verdict.flaw is None
    assert max(after - before for before, after in pairwise(ticks)) < 0.2


async def test_memory_does_not_grow_with_the_dossier(tmp_path: Path) -> None:  # section 14
    async def most(entries: Sequence[Any]) -> int:
        head = head_over(entries)
        plains = list(cut((canonical(one) for one in entries), 65_536))
        tracemalloc.start()
        try:
            verdict = await verify_bundles(
                given(plains), head=head, custody_chain=CHAIN, directory=BOOK, folder=tmp_path
            )
            assert verdict.flaw is None
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    await most(ENTRIES[:100])
    small, large = await most(ENTRIES[:300]), await most(ENTRIES)
    assert large < small + 200_000, "less than 16 bytes a service entry and log2(n) hashes"


# --- the two scratches --------------------------------------------------------------------------


def leaf(signed: Any) -> Leaf:
    return judge_leaf(
        canonical(signed), subject_id=SUBJECT, directory=BOOK, verify=verify_signature
    )


def found(scratch: Scratch) -> tuple[Any, ...]:
    return (
        list(scratch.standing()),
        [(span, minutes) for span, minutes in credited(scratch.spans())],
        sums(scratch),
        state_digest(scratch),
    )


@pytest.mark.parametrize(
    "case",
    [case for case in vectors("dossiers")["cases"] if case["code"] is None],
    ids=lambda case: case["name"],
)
def test_a_scratch_on_disk_gives_what_one_in_memory_gives(case: Any, tmp_path: Path) -> None:
    leaves = [leaf(signed) for signed in case["entries"]]
    memory = MemoryScratch()
    with FileScratch(tmp_path) as disk:
        assert memory.add(leaves) is None and disk.add(leaves) is None
        assert found(disk) == found(memory)


def test_both_scratches_name_the_first_that_is_repeated(tmp_path: Path) -> None:  # TR-411
    first, again, other = leaf(entry(1)), leaf(entry(1, minutes=30, counted_minutes=30)), entry(2)
    with FileScratch(tmp_path) as disk:
        for scratch in (MemoryScratch(), disk):
            assert scratch.add([first, leaf(other), again, first]) == 2
            assert scratch.add([leaf(other)]) == 0
            assert scratch.add([leaf(entry(1, version=2))]) is None
            assert [one.version for one in scratch.standing()] == [2, 1]
            doubted = replace(leaf(entry(3)), doubted_since="2027-03-02T00:00:00Z")
            assert scratch.add([doubted]) is None
            assert doubted in list(scratch.standing())
