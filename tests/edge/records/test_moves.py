"""Moves on a real PostgreSQL: facts of neighbours, jobs with real HTTP between services, exports.

Two cities in two schemas: what one signs and freezes, the other stages, adopts and keeps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.responses import Response

from services.records.domain.dossiers.folding import City
from services.records.edge import internal
from services.records.edge.agents import reader_of
from services.records.edge.directory import DirectoryFile
from services.records.edge.dossiers import DossierPart
from services.records.edge.jobs import handlers
from services.records.edge.quarantine import Quarantine
from services.records.edge.queries import Queries
from services.records.wiring import MIGRATIONS
from shared import merkle
from shared.canonical import canonical, digest
from shared.clock import FixedClock
from shared.internal_http import InternalClient, InternalVerifier
from shared.jobs import Job, Later
from shared.ledger import Accepted, Ledger, Target
from shared.messages import Message, Rejection
from shared.postgres import Database, migrate
from shared.problems import install
from shared.signing import Signer, kid, signature_holds
from shared.telemetry import Metrics
from shared.working_days import load_calendar
from tests.domain.records import story as w
from tests.edge.records.conftest import make_domain, neighbours
from tests.support.batches import in_one_batch

OFFICE = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
PIN = f"{kid('directory', OFFICE.public_key().public_bytes_raw())}:" + (
    OFFICE.public_key().public_bytes_raw().hex()
)
SERVICE_KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
T3 = "3" * 64


def key_of(city: str, use: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{city}/{use}".encode()).digest())


def directory(cities: tuple[str, ...], serial: int = 1) -> bytes:
    """A signed directory of these cities' entry keys."""
    nodes = [
        {
            "city": city,
            "keys": [
                {
                    "kid": kid(city, key_of(city, "entry").public_key().public_bytes_raw()),
                    "public": key_of(city, "entry").public_key().public_bytes_raw().hex(),
                    "uses": ["entry"],
                    "not_before": "2020-01-01T00:00:00Z",
                    "not_after": "2040-01-01T00:00:00Z",
                    "revoked_at": None,
                    "compromised_since": None,
                }
            ],
        }
        for city in cities
    ]
    body = {"v": "directory/1", "serial": serial, "nodes": nodes}
    message = b"jiexu-directory-v1\n" + canonical(body)
    sigs = [{"kid": PIN.rpartition(":")[0], "sig": OFFICE.sign(message).hex()}]
    return canonical({"body": body, "sigs": sigs})


class Transfer:
    """What transfer serves to records: bytes under their SHA-256, on real HTTP without a socket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.app = FastAPI()

        @self.app.get("/internal/v1/objects/{sha256}")
        async def objects(sha256: str) -> Response:
            found = self.objects.get(sha256)
            return Response(found or b"{}", status_code=200 if found else 404)

    def keep(self, raw: bytes) -> str:
        name = hashlib.sha256(raw).hexdigest()
        self.objects[name] = raw
        return name

    def dossier(self, entries: list[Mapping[str, Any]], size: int) -> str:
        """The path of the list of plain bundles of these leaves."""
        bundles = [
            self.keep(b"".join(canonical(each) + b"\n" for each in entries[n : n + size]))
            for n in range(0, len(entries), size)
        ]
        return "/internal/v1/objects/" + self.keep(canonical(bundles))


class LocalCity:
    """Records of one city: its ledger, its jobs run to their end, its internal routes."""

    def __init__(self, name: str, database: Database, ledger: Ledger, part: DossierPart) -> None:
        self.name, self.database, self.ledger, self.part = name, database, ledger, part
        self.transfer = Transfer()
        self.clock = FixedClock(w.MONDAY)
        self.story = w.Story(city=City(name, load_calendar()), opened=False)
        self.directory_path: Path | None = None
        self.directory = DirectoryFile(None, ())
        self.metrics = Metrics("records", name)
        verifier = InternalVerifier(
            "records",
            {"transfer": SERVICE_KEY.public_key(), "rewards": SERVICE_KEY.public_key()},
            self.clock,
        )
        self.app = FastAPI()
        self.app.state.internal_verifier = verifier
        install(self.app)
        queries = Queries(database, part, self.clock)
        self.app.include_router(internal.router(queries), prefix="/internal/v1")

    def use_directory(self, path: Path, raw: bytes) -> None:
        path.write_bytes(raw)
        self.directory_path = path
        self.directory = DirectoryFile(path, (PIN,))

    async def does(self, command: Any) -> tuple[Any, ...]:
        outcome = await self.ledger.submit(command)
        assert isinstance(outcome, Accepted), outcome
        self.story.now += w.timedelta(seconds=1)
        await self.run_jobs()
        return outcome.events

    async def hears(self, name: str, data: Mapping[str, Any]) -> list[Any]:
        """Takes in one event of a neighbour and runs what it leads to."""
        message = Message(
            topic="test",
            key=str(data.get("subject_id")),
            sequence=1,
            event_id=uuid4(),
            source="/nodes/x/test",
            type=name,
            time=self.story.now,
            data=data,
        )
        outcomes = []
        for command in reader_of(b"k" * 32)(message):
            outcomes.append(await self.ledger.submit(command))
        await self.run_jobs()
        return outcomes

    async def run_jobs(self) -> int:
        """Every waiting job, as the worker runs them; the last command ends its row."""
        done = 0
        while True:
            rows = await self.database.pool.fetch(
                "SELECT * FROM job WHERE state = 'waiting' ORDER BY due_at, id"
            )
            ran = 0
            for row in rows:
                job = Job(
                    id=row["id"],
                    kind=row["kind"],
                    target=Target(row["target_kind"], row["target_id"]),
                    data=json.loads(row["data"]),
                    due_at=row["due_at"],
                    attempts=1,
                )
                try:
                    commands = await self._handlers()[job.kind](job)
                except Later:
                    continue
                for command in commands:
                    outcome = await self.ledger.submit(
                        command, job=job.id if command is commands[-1] else None
                    )
                    assert not isinstance(outcome, Rejection) or outcome.waits, outcome
                if not commands:
                    await self.database.pool.execute(
                        "UPDATE job SET state = 'done' WHERE id = $1", job.id
                    )
                ran += 1
            done += ran
            if not ran:
                return done

    def _handlers(self) -> Mapping[str, Callable[[Job], Any]]:
        return handlers(self.database, self.ask_transfer, self.directory, self.clock, self.name)

    def ask_transfer(self) -> InternalClient:
        return self._client("transfer", self.transfer.app, "records")

    def asked_by(self, service: str) -> InternalClient:
        return self._client("records", self.app, service)

    def _client(self, neighbour: str, app: FastAPI, service: str) -> InternalClient:
        return InternalClient(
            service=service,
            neighbour=neighbour,
            base_url="http://internal",
            key=SERVICE_KEY,
            clock=self.clock,
            client=httpx.AsyncClient(transport=httpx.ASGITransport(app=app)),
        )

    async def published(self) -> list[tuple[str, dict[str, Any], int | None]]:
        rows = await self.database.pool.fetch(
            "SELECT type, data, custody_epoch FROM event WHERE topic IS NOT NULL ORDER BY position"
        )
        return [(row["type"], json.loads(row["data"]), row["custody_epoch"]) for row in rows]

    async def last(self, kind: str) -> dict[str, Any]:
        found = [data for name, data, _ in await self.published() if name == f"records.{kind}.v1"]
        return found[-1]

    async def log(self) -> list[dict[str, Any]]:
        """As transfer reads it: head, then the log a page at a time."""
        client = self.asked_by("transfer")
        head = await client.get(f"/internal/v1/dossiers/{w.LI_HUA}/head")
        path = f"/internal/v1/dossiers/{w.LI_HUA}/log/{head['log_id']}"
        items: list[dict[str, Any]] = []
        while len(items) < head["head"]["body"]["count"]:
            page = await client.get(path, {"after": len(items) - 1, "limit": 2})
            items += page["items"]
        leaves = [bytes.fromhex(digest(each["body"])) for each in items]
        assert merkle.root_of(leaves).hex() == head["head"]["body"]["root"]
        return items

    async def stage(
        self, other: LocalCity, transfer_id: str = w.T1, bundle: int = 2, **changes: Any
    ) -> list[Any]:
        """The dossier that ``other`` froze comes in, as transfer verified it."""
        head = (await other.last("dossier-frozen"))["head"]["body"]
        entries = await other.log()
        data = {
            "transfer_id": transfer_id,
            "role": "destination",
            "subject_id": w.LI_HUA,
            "epoch": head["epoch"],
            "root": head["root"],
            "count": head["count"],
            "state_digest": head["state_digest"],
            "first_registered_on": head["first_registered_on"],
            "homes": [other.name],
            "path": self.transfer.dossier(entries, bundle),
            **changes,
        }
        return await self.hears("transfer.dossier-verified.v1", data)

    async def adopt(self, digest_: str, transfer_id: str = w.T1, new_epoch: int = 2) -> list[Any]:
        return await self.hears(
            "transfer.release-received.v1",
            {
                "transfer_id": transfer_id,
                "subject_id": w.LI_HUA,
                "new_epoch": new_epoch,
                "state_digest": digest_,
                "staged_by": transfer_id,
            },
        )

    async def supplement(self, entries: list[Any], k: int = 1, **changes: Any) -> list[Any]:
        content = {"k": k, "subject_id": w.LI_HUA, "entries": entries}
        name = self.transfer.keep(canonical(content))
        data = {
            "transfer_id": w.T1,
            "subject_id": w.LI_HUA,
            "sender": "amber",
            "incarnation": 1,
            "k": k,
            "digest": name,
            "path": f"/internal/v1/objects/{name}",
            **changes,
        }
        return await self.hears("transfer.supplement-received.v1", data)


@asynccontextmanager
async def city(url: str, name: str) -> AsyncIterator[LocalCity]:
    await migrate(url, name, MIGRATIONS)
    async with Database(url, name) as database:
        own = City(name, load_calendar())
        domain = make_domain(own, key_of(name, "entry"), key_of(name, "head"))
        part = DossierPart(
            own, Signer.of(name, key_of(name, "entry")), Signer.of(name, key_of(name, "head"))
        )
        ledger = Ledger(database, domain)
        for command in neighbours():
            await ledger.submit(command)
        yield LocalCity(name, database, ledger, part)
        await ledger.close()


@pytest.fixture
async def amber(database: str) -> AsyncIterator[LocalCity]:
    async with city(database, "amber") as one:
        yield one


@pytest.fixture
async def birch(database: str, tmp_path: Path) -> AsyncIterator[LocalCity]:
    async with city(database, "birch") as one:
        one.use_directory(tmp_path / "directory.json", directory(("amber", "birch")))
        yield one


async def served(one: LocalCity) -> list[Any]:
    """Registered, and three services, two of which overlap; two approved."""
    await one.hears(
        "registry.volunteer-registered.v1",
        {"subject_id": w.LI_HUA, "first_registered_on": "2019-03-05"},
    )
    entries = []
    for name, start, end in (("甲", "09", "11"), ("乙", "10", "12"), ("丙", "14", "15")):
        wish = one.story.service(
            f"2026-09-19 {start}:00", f"2026-09-19 {end}:00", activity_name=name
        )
        entries.append((await one.does(wish))[0])
    for entry in entries[:2]:
        await one.does(one.story.approve(entry))
    return entries


async def freeze(one: LocalCity, transfer_id: str = w.T1, epoch: int = 1) -> None:
    await one.hears(
        "rewards.rewards-frozen.v1",
        {"subject_id": w.LI_HUA, "transfer_id": transfer_id, "epoch": epoch},
    )


async def release(one: LocalCity, home: str, transfer_id: str = w.T1, epoch: int = 1) -> None:
    await one.hears(
        "transfer.dossier-released.v1",
        {
            "subject_id": w.LI_HUA,
            "transfer_id": transfer_id,
            "epoch": epoch,
            "new_epoch": epoch + 1,
            "home": home,
        },
    )


async def moved(amber: LocalCity, birch: LocalCity) -> list[Any]:
    entries = await served(amber)
    await freeze(amber)
    await birch.stage(amber)
    await release(amber, "birch")
    await birch.adopt((await amber.last("dossier-frozen"))["head"]["body"]["state_digest"])
    return entries


# -- the whole move -----------------------------------------------------------------------------


async def test_a_dossier_moves_whole_and_says_the_same_on_both_sides(amber, birch) -> None:  # S21
    await moved(amber, birch)
    frozen = await amber.last("dossier-frozen")
    head = frozen["head"]
    key = key_of("amber", "head").public_key()
    assert signature_holds(key, "jiexu-head-v1", head["body"], head["sig"])
    staged, adopted = await birch.last("dossier-staged"), await birch.last("dossier-adopted")
    assert staged["state_digest"] == adopted["state_digest"] == head["body"]["state_digest"]
    assert adopted["totals"] == head["body"]["totals"]
    assert adopted["totals"]["credited_minutes"] == 180
    assert adopted["first_registered_on"] == "2019-03-05"
    (cell,) = adopted["cells"]
    assert (cell["cell"]["own"], cell["minutes"]) == (False, 180)
    mine = await birch.asked_by("transfer").get(f"/internal/v1/dossiers/{w.LI_HUA}/head")
    body = mine["head"]["body"]
    assert (body["epoch"], body["home"], body["root"]) == (2, "birch", head["body"]["root"])
    assert body["state_digest"] == head["body"]["state_digest"]
    epochs = {name: epoch for name, _, epoch in await birch.published()}
    assert epochs["records.dossier-adopted.v1"] == 2
    assert epochs["records.dossier-staged.v1"] is None
    assert all(epoch in (1, None) for _, _, epoch in await amber.published())
    sums = await birch.asked_by("rewards").get(f"/internal/v1/dossiers/{w.LI_HUA}/sums")
    assert sums["cells"] == adopted["cells"]
    early = f"/internal/v1/dossiers/{w.LI_HUA}/sums?until=2026-09-18"
    assert (await birch.asked_by("rewards").get(early))["cells"] == []


async def test_shared_minutes_are_known_after_the_move_and_go_on_to_hold(amber, birch) -> None:
    entries = await moved(amber, birch)
    rows = await birch.database.pool.fetch(
        "SELECT entry_id, shared FROM standing WHERE shared > 0 AND state = 'approved'"
    )
    assert [(row["entry_id"], row["shared"]) for row in rows] == [(entries[1].version.entry_id, 60)]
    # Amber revokes the first: at birch the second is credited whole, by the supplement alone.
    await amber.does(amber.story.revoke(entries[0]))
    held = await amber.last("late-change-held")
    signed = await amber.asked_by("transfer").get(held["path"])
    assert digest(signed["body"]) == held["digest"]
    await birch.supplement([signed])
    applied = await birch.last("supplement-applied")
    assert (applied["new"], applied["duplicates"], applied["quarantined"]) == (1, 0, 0)
    event = await birch.last("entry-revoked")
    deltas = {each["entry_id"]: each["after"] - each["before"] for each in event["moved"]}
    assert deltas == {entries[0].version.entry_id: -120, entries[1].version.entry_id: 60}


async def test_a_late_hour_arrives_once_however_often_it_is_sent(amber, birch) -> None:  # S23
    await moved(amber, birch)
    await amber.does(amber.story.service("2026-09-20 09:00", "2026-09-20 10:00"))
    held = await amber.last("late-change-held")
    signed = await amber.asked_by("transfer").get(held["path"])
    for k in range(1, 5):
        await birch.supplement([signed], k=k)
    kinds = [name for name, _, _ in await birch.published()]
    assert kinds.count("records.service-recorded.v1") == 1
    assert kinds.count("records.supplement-applied.v1") == 4
    assert (await birch.last("supplement-applied"))["duplicates"] == 1
    assert len(await birch.log()) == 6


async def test_a_to_b_to_a_doubles_nothing(amber, birch) -> None:  # R38, S29
    entries = await moved(amber, birch)
    await amber.does(amber.story.service("2026-09-20 09:00", "2026-09-20 10:00"))
    held = await amber.last("late-change-held")
    signed = await amber.asked_by("transfer").get(held["path"])
    await birch.supplement([signed])
    wish = birch.story.service("2026-09-20 14:00", "2026-09-20 15:00", activity_name="在桦城")
    (own,) = await birch.does(wish)
    await birch.does(birch.story.approve(own))
    await freeze(birch, w.T2, epoch=2)
    await amber.stage(birch, w.T2)
    await release(birch, "amber", w.T2, epoch=2)
    state = (await birch.last("dossier-frozen"))["head"]["body"]["state_digest"]
    await amber.adopt(state, w.T2, new_epoch=3)
    adopted = await amber.last("dossier-adopted")
    assert (adopted["new_epoch"], adopted["state_digest"]) == (3, state)
    assert adopted["totals"]["credited_minutes"] == 240
    versions = await amber.database.pool.fetchval("SELECT count(*) FROM entry_version")
    assert versions == 8
    # Its own entries are its own again; what birch recorded stays birch's.
    await amber.does(amber.story.approve(entries[2]))
    outcome = await amber.ledger.submit(amber.story.revoke(own))
    assert type(outcome).__name__ == "NotYourEntry"
    # What came late under the first custody and is in the log now is no second entry.
    assert await amber.does(amber.story.service("2026-09-20 09:00", "2026-09-20 10:00")) == ()


async def test_a_staging_of_a_refused_move_leaves_nothing_behind(amber, birch) -> None:
    await served(amber)
    await freeze(amber)
    await birch.stage(amber)
    ended = {"transfer_id": w.T1, "role": "destination", "subject_id": w.LI_HUA}
    await birch.hears("transfer.transfer-refused.v1", ended)
    for table in ("entry_version", "leaf", "standing"):
        assert await birch.database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    assert await birch.last("staging-discarded") == {
        "subject_id": w.LI_HUA,
        "transfer_id": w.T1,
    }
    await birch.stage(amber)  # a late order: silence
    assert await birch.database.pool.fetchval("SELECT count(*) FROM leaf") == 0
    await amber.hears("transfer.transfer-aborted.v1", {**ended, "role": "origin"})
    assert (await amber.last("dossier-thawed"))["transfer_id"] == w.T1


async def test_two_stagings_share_bodies_and_one_that_is_discarded_takes_none_of_the_other(
    amber, birch
) -> None:
    await served(amber)
    await freeze(amber)
    await birch.stage(amber, w.T1)
    await birch.stage(amber, w.T2)
    ended = {"transfer_id": w.T1, "role": "destination", "subject_id": w.LI_HUA}
    await birch.hears("transfer.transfer-aborted.v1", ended)
    state = (await amber.last("dossier-frozen"))["head"]["body"]["state_digest"]
    await birch.adopt(state, w.T2)
    assert len(await birch.log()) == 5


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"count": 4}, "TR-402"),
        ({"root": "00" * 32}, "TR-403"),
        ({"state_digest": "00" * 32}, "TR-413"),
    ],
)
async def test_what_does_not_come_out_as_verified_fails(amber, birch, changes, code) -> None:
    await served(amber)
    await freeze(amber)
    await birch.stage(amber, **changes)
    assert (await birch.last("staging-failed"))["code"] == code
    await birch.adopt("00" * 32)
    assert await birch.last("staging-missing")


async def test_bundles_that_cannot_be_read_fail_with_506(amber, birch) -> None:
    await served(amber)
    await freeze(amber)
    bad = birch.transfer.keep(b'{"body": 1}')
    path = "/internal/v1/objects/" + birch.transfer.keep(canonical([bad]))
    await birch.stage(amber, path=path)
    assert (await birch.last("staging-failed"))["code"] == "TR-506"


async def test_an_adoption_asked_for_again_is_told_again(amber, birch) -> None:
    await moved(amber, birch)
    state = (await birch.last("dossier-adopted"))["state_digest"]
    wish = birch.story.service("2026-09-20 14:00", "2026-09-20 15:00", activity_name="在桦城")
    (own,) = await birch.does(wish)
    await birch.does(birch.story.approve(own))
    await birch.adopt(state)
    again = await birch.last("dossier-adopted")
    assert again["state_digest"] == state
    assert again["totals"]["credited_minutes"] == 240
    assert sum(each["minutes"] for each in again["cells"]) == 240


async def test_an_empty_dossier_moves_too(amber, birch) -> None:
    await amber.hears(
        "registry.volunteer-registered.v1",
        {"subject_id": w.LI_HUA, "first_registered_on": "2019-03-05"},
    )
    await freeze(amber)
    await birch.stage(amber)
    await birch.adopt((await amber.last("dossier-frozen"))["head"]["body"]["state_digest"])
    assert (await birch.last("dossier-adopted"))["count"] == 0


# -- judging what comes late --------------------------------------------------------------------


async def test_entries_of_a_supplement_are_judged_and_what_fails_is_quarantined(
    amber, birch, tmp_path
) -> None:  # B49, F36
    await moved(amber, birch)
    await amber.does(amber.story.service("2026-09-20 09:00", "2026-09-20 10:00"))
    good = await amber.asked_by("transfer").get((await amber.last("late-change-held"))["path"])
    forged = json.loads(json.dumps(good))
    forged["body"]["entry_id"] = "amber-01KK362VM09TDRMAB20MBC0B5C"
    unbounded = resigned(good, minutes=1441)
    star = resigned(good, kind="star", minutes=0, entry_id="cedar-01KK362VM09TDRMAB20MBC0B5D")
    other = resigned(good, subject_id=w.WANG)
    shapeless = {"body": {"v": "entry/1"}, "kid": good["kid"], "sig": good["sig"]}
    await birch.supplement([forged, good, unbounded, other, shapeless, star])
    applied = await birch.last("supplement-applied")
    assert (applied["new"], applied["quarantined"]) == (1, 5)
    assert applied["first_quarantined"]["code"] == "TR-404"
    rows = await birch.database.pool.fetch("SELECT code FROM quarantine ORDER BY code")
    assert [row["code"] for row in rows] == ["TR-401", "TR-404", "TR-404", "TR-404", "TR-410"]


async def test_a_key_that_no_directory_lists_yet_makes_the_supplement_wait(
    amber, birch, tmp_path
) -> None:
    await moved(amber, birch)
    signed = cedar_entry()
    await birch.supplement([signed])
    assert "records.supplement-applied.v1" not in [n for n, _, _ in await birch.published()]
    birch.use_directory(tmp_path / "newer.json", directory(("amber", "birch", "cedar"), 2))
    await birch.run_jobs()
    assert (await birch.last("supplement-applied"))["new"] == 1


async def test_what_is_quarantined_is_judged_again_with_a_newer_directory(
    amber, birch, tmp_path
) -> None:
    await moved(amber, birch)
    entry = cedar_entry()
    judged = w.judged(w.read_body(entry["body"], digest(entry["body"])), code="TR-404")
    late = birch.story.late(replace(judged, signed=entry), sender="amber")
    await birch.does(late)
    ward = Quarantine(birch.database, birch.ledger, birch.directory, birch.clock, birch.metrics)
    assert await ward.look() == 0
    assert birch.directory_path is not None
    birch.directory_path.write_bytes(directory(("amber", "birch", "cedar"), 3))
    assert await ward.look() == 1
    assert await birch.database.pool.fetchval("SELECT count(*) FROM quarantine") == 0
    assert (await birch.last("entry-approved"))["issuer"] == "cedar"


def cedar_entry() -> dict[str, Any]:
    """An hour that a third city recorded and signed."""
    version = w.foreign_version("cedar-01M4PSZ9M04JKNBNRKBQFY684T", issuer="cedar")
    return Signer.of("cedar", key_of("cedar", "entry")).sign("jiexu-entry-v1", version.body)


def resigned(signed: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As a city that cheats would sign it: its own key over another body."""
    body = {**signed["body"], **changes}
    if changes.get("kind") == "star":
        body |= {"issuer": "cedar", "counted_minutes": 0}
    return Signer.of("amber", key_of("amber", "entry")).sign("jiexu-entry-v1", body)


# -- the edges of internal HTTP -----------------------------------------------------------------


async def test_only_the_named_services_read_bodies_and_logs(amber) -> None:
    await served(amber)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=amber.app), base_url="http://internal"
    ) as stranger:
        for path in ("objects/" + "0" * 64, f"dossiers/{w.LI_HUA}/head"):
            assert (await stranger.get(f"/internal/v1/{path}")).status_code == 401
    with pytest.raises(Exception, match="403"):
        await amber.asked_by("rewards").get(f"/internal/v1/dossiers/{w.LI_HUA}/head")


async def test_no_name_salt_or_text_goes_on_a_topic(amber) -> None:  # R55, INV-15
    entries = await served(amber)
    body = entries[0].version.body
    texts = [body["salt"], "晨光社区志愿服务队", "甲", "备〔2026〕015号", "staff-07"]
    for _, data, _ in await amber.published():
        written = json.dumps(data, ensure_ascii=False)
        assert not [text for text in texts if text in written]


async def test_an_order_that_comes_twice_in_one_batch_is_answered_twice_alike(amber, birch) -> None:
    """As it does when records was down and transfer asked again and again (D22)."""
    await served(amber)
    await freeze(amber)
    await birch.stage(amber)
    state = (await amber.last("dossier-frozen"))["head"]["body"]["state_digest"]
    story = birch.story
    wish = story.service("2026-09-19 09:30", "2026-09-19 12:30", activity_name="在桦城")
    commands = [
        story.adopt(state_digest=state),
        wish,
        story.freeze(w.T2, epoch=2),
        story.adopt(state_digest=state),
    ]
    outcomes = await in_one_batch(birch.ledger, commands, {})
    assert all(isinstance(each, Accepted) for each in outcomes)
    kinds = [name.split(".")[1] for name, _, _ in await birch.published()][-4:]
    assert kinds == ["dossier-adopted", "service-recorded", "dossier-frozen", "dossier-adopted"]
    first, again = (data for name, data, _ in await birch.published() if "adopted" in name)
    assert again["cells"] == first["cells"]
    assert again["totals"]["credited_minutes"] == 180
    assert again["totals"]["pending_minutes"] == 60 + 180
    frozen = (await birch.last("dossier-frozen"))["head"]["body"]
    assert (frozen["count"], frozen["totals"]) == (6, again["totals"])
    items = await birch.log()
    assert len(items) == 6
