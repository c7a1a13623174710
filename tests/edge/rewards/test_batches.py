"""Do n commands in one batch give what they give in n batches?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from uuid import uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.rewards.domain.policies.keeping import KeepPolicy
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings.state import CellMinutes
from services.rewards.edge.store import RewardsDomain
from services.rewards.wiring import MIGRATIONS
from shared.ledger import Ledger
from shared.messages import Command
from shared.postgres import Database, migrate
from tests.domain.rewards import world as w
from tests.edge.rewards.conftest import policy_fact
from tests.support.batches import Twins, twins

OTHER = "b" * 32
T1, T2 = "1" * 64, "2" * 64


def kept(policy_id: str) -> Command:
    return KeepPolicy(
        command_id=uuid5(w.SPACE, policy_id),
        actor=w.SYSTEM,
        at=w.NOON,
        policy_id=policy_id,
        version=1,
        content=policy_fact(policy_id)["content"],
    )


def head(subject: str, actor=w.SYSTEM) -> dict:
    return w.head(actor) | {"subject_id": subject}


SUBJECTS = st.sampled_from([w.LI_HUA, OTHER])
CELLS = st.sampled_from([w.OWN, w.FOREIGN])
MINUTES = st.sampled_from([-700, -60, 0, 600, 6_000, 12_000])
TRANSFERS = st.sampled_from([T1, T2])
EPOCHS = st.integers(1, 3)


@st.composite
def command(draw) -> Command:
    subject = draw(SUBJECTS)
    cells = (CellMinutes(cell=draw(CELLS), minutes=draw(MINUTES)),)
    transfer, epoch = draw(TRANSFERS), draw(EPOCHS)
    made = {
        "note": lambda: c.NotePerson(
            **head(subject), residence_region="500103", claimed=draw(st.booleans())
        ),
        "serve": lambda: c.RecomputeStanding(**head(subject), differences=cells),
        "star": lambda: c.NoteStar(
            **head(subject), star=w.foreign_star(), stands=draw(st.booleans())
        ),
        "apply": lambda: c.ApplyForStar(
            **head(subject, w.HERSELF), policy_id="cn-default", level=1
        ),
        "review": lambda: c.ReviewStar(
            **head(subject, w.COUNTY), policy_id="cn-default", outcome="pass", reasons="好"
        ),
        "show": lambda: c.ShowStar(**head(subject), policy_id="cn-default"),
        "freeze": lambda: c.FreezeRewards(**head(subject), transfer_id=transfer, epoch=epoch),
        "thaw": lambda: c.ThawRewards(**head(subject), transfer_id=transfer),
        "depart": lambda: c.DepartRewards(
            **head(subject), transfer_id=transfer, new_epoch=epoch, home="510100"
        ),
        "adopt": lambda: c.AdoptRewards(
            **head(subject),
            transfer_id=transfer,
            new_epoch=epoch,
            first_registered_on=date(2019, 3, 5),
            cells=cells,
            stars=(w.foreign_star(),),
        ),
    }
    return made[draw(st.sampled_from(sorted(made)))]()


@asynccontextmanager
async def make(url: str, schema: str) -> AsyncIterator[tuple[Database, Ledger]]:
    await migrate(url, schema, MIGRATIONS)
    async with Database(url, schema) as database:
        domain = RewardsDomain(node="500000", body=w.CENTRE, calendar=w.CALENDAR)
        ledger = Ledger(database, domain)
        for policy_id in ("cn-default", "demo-automatic"):
            await ledger.submit(kept(policy_id))
        yield database, ledger
        await ledger.close()


@pytest.fixture
async def pair(database: str) -> AsyncIterator[Twins]:
    async with twins(database, make) as both:
        yield both


@given(commands=st.lists(command(), min_size=1, max_size=14))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_batch_gives_what_its_commands_give_one_by_one(
    pair: Twins, commands: list[Command]
):  # INV-11; the subjects' histories go on from example to example
    await pair.same_together_and_apart(commands)
