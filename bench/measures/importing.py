"""How fast does a sheet become history: validated, signed, in the tree, approved, summed?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import sheets
from bench.city import City
from bench.frame import Bench, Measure, Reach, Result
from bench.measures.latency import BEHIND
from bench.measures.recording import PEOPLE, SPARE
from node import importing
from shared.canonical import canonical
from shared.clock import SHANGHAI
from shared.signing import Signer

SERVICES_EACH = 5
APPROVAL_SECONDS = 900.0
SIGNED = 4000
MEASURES = (
    Measure(
        name="spreadsheet rows imported and approved, to the standing",
        unit="rows/s",
        reference="canonical form and signature of their two leaves alone, one core",
        reach=Reach(of="ours", at_least=700),
    ),
    Measure(
        name="spreadsheet rows: a page of the last tenth",
        unit="ms",
        reference="a page of the first tenth",
        reach=Reach(of="ratio", at_most=1.2),
    ),
)


def take(bench: Bench) -> Iterator[Result]:
    """As ``jiexu import`` does it, with registry, records and rewards running whole."""
    city = bench.city
    count = bench.scaled(10_000, 250)
    city.populate(PEOPLE + SPARE + count, bench.say)
    path = bench.root / "sheet.xlsx"
    rows = sheets.write(
        path,
        city.people[PEOPLE + SPARE :],
        SERVICES_EACH,
        datetime.now(UTC).astimezone(SHANGHAI).date(),
    )
    with city.running("registry", "records", "rewards"):
        city.wait(lambda: city.value(BEHIND) == 0, "rewards has read what is there", 300)
        seconds, pages, stages = _import(city, path, rows)
    alone = _signed_alone(city)
    tenth = max(1, len(pages) // 10)
    yield Result(
        measure=MEASURES[0],
        ours=[rows / seconds],
        reference=[alone / 2],
        note=f"{rows:,} rows of {count:,} people; {stages}",
    )
    yield Result(
        measure=MEASURES[1],
        ours=[1000 * mean(pages[-tenth:])],
        reference=[1000 * mean(pages[:tenth])],
        note=f"{len(pages)} pages of {importing.PAGE_ROWS} rows",
    )


def _import(city: City, path: Path, rows: int) -> tuple[float, list[float], str]:
    approved = "SELECT count(*) FROM records.standing WHERE state = 'approved'"
    before, minutes = city.value(approved), city.value(_MINUTES)
    begun = time.perf_counter()
    stamps = [begun]
    with (
        city.api("records", "staff-recorder", f"recorder@{city.organisation}") as recorder,
        city.api("records", "staff-approver", f"approver@{city.organisation}") as approver,
    ):
        sheet = importing.read(path)
        batch = importing.open_batch(recorder, sheet, city.organisation)
        result = batch.send(sheet, lambda _: stamps.append(time.perf_counter()))
        assert result.count()["imported"] == rows, dict(result.count())
        batch.close(sheet)
        sent = time.perf_counter()
        approver.post(f"/batches/{batch.batch_id}/approve")
        city.wait(lambda: city.value(_DECIDED), "every row is approved", APPROVAL_SECONDS)
        assert city.value(approved) - before == rows
    done = time.perf_counter()
    city.wait(lambda: city.value(BEHIND) == 0, "every standing is summed", APPROVAL_SECONDS)
    end = time.perf_counter()
    moved = city.value(_MINUTES) - minutes
    assert moved == sheets.MINUTES * rows, f"standings moved by {moved} minutes"
    # The first stamp of ``send`` tells where it begins.
    pages = [after - before for before, after in pairwise(stamps[1:])]
    return (
        end - begun,
        pages,
        (
            f"{sent - begun:.0f} s sent, {done - sent:.0f} s approved, "
            f"{end - done:.0f} s until summed"
        ),
    )


# Asked every 50 ms: to count the approved rows instead would cost more than to approve them.
_DECIDED = """
    SELECT NOT EXISTS (
        SELECT FROM records.job WHERE kind = 'decide-batch' AND state = 'waiting')
"""
_MINUTES = """
    SELECT coalesce(sum((cell->>'minutes')::bigint), 0)::bigint
    FROM rewards.aggregate, jsonb_array_elements(state->'holdings'->'cells') AS cell
    WHERE kind = 'standing'
"""


def _signed_alone(city: City) -> float:
    """Leaves a second: a body in canonical form, hashed and signed, and stored as text."""
    signed = city.value("SELECT signed FROM records.entry_version LIMIT 1")
    body = json.loads(signed)["body"]
    signer = Signer.of(city.node.code, Ed25519PrivateKey.generate())
    begun = time.perf_counter()
    for n in range(SIGNED):
        canonical(signer.sign("jiexu-entry-v1", body | {"salt": f"{n:032x}"}))
    return SIGNED / (time.perf_counter() - begun)
