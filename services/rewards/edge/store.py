"""What does the ledger ask of rewards? The pure decider, and the SQL around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from services.rewards.contract.topics import AWARDS
from services.rewards.contract.types import LEFT_OUT, NAMES, OWN
from services.rewards.domain.policies import keeping
from services.rewards.domain.policies.model import StarPolicy, from_content
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings.decider import decide as decide_standing
from services.rewards.domain.standings.folding import evolve as evolve_standing
from services.rewards.domain.standings.state import (
    Absent,
    Body,
    Departed,
    Frozen,
    Home,
    Standing,
    View,
    Window,
)
from services.rewards.edge.projections import save_standings
from shared.ledger import Cancel, Decided, Reach, Schedule, StreamKey, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection
from shared.working_days import Calendar

STANDING = "standing"
POLICY = "policy"
SHANGHAI = ZoneInfo("Asia/Shanghai")

_STANDINGS: TypeAdapter[Standing] = TypeAdapter(Standing)
_EVENTS: dict[type[Event], TypeAdapter[Any]] = {shape: TypeAdapter(shape) for shape in NAMES}


class RewardsDomain:
    """This service's side of the ledger; see ``shared.ledger.Domain``."""

    def __init__(self, *, node: str, body: Body, calendar: Calendar) -> None:
        self._node = node
        self._body = body
        self._calendar = calendar
        # Parsed once per version: a published version never changes.
        self._parsed: dict[tuple[str, int], StarPolicy] = {}

    def reach(self, command: Command) -> Reach:
        match command:
            case c.StandingCommand(subject_id=subject):
                stream = StreamKey(AWARDS.name, subject)
                return Reach(targets=(Target(STANDING, subject),), streams=(stream,))
            case keeping.KeepPolicy(policy_id=policy) | keeping.AdvancePolicy(policy_id=policy):
                return Reach(targets=(Target(POLICY, policy),))
        raise TypeError(f"rewards knows no command {type(command).__name__}")

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        window = await self.window(connection)
        return {
            target: self._view(row, window) if target.kind == STANDING else _kept(row)
            for target, row in rows.items()
        }

    async def window(self, connection: Connection) -> Window:
        """Every policy kept, with this city and its calendar."""
        known = await connection.fetch("SELECT policy_id, version, content FROM star_policy")
        for row in known:
            key = row["policy_id"], row["version"]
            if key not in self._parsed:
                self._parsed[key] = from_content(json.loads(row["content"]))
        policies = tuple(self._parsed[row["policy_id"], row["version"]] for row in known)
        return Window(node=self._node, body=self._body, policies=policies, calendar=self._calendar)

    @staticmethod
    def _view(row: Mapping[str, Any] | None, window: Window) -> View:
        return View(standing=standing_of(row), window=window)

    def decide(self, states: tuple[Any, ...], command: Command) -> tuple[Event, ...] | Rejection:
        if isinstance(command, c.StandingCommand):
            return decide_standing(states[0], command)
        assert isinstance(command, keeping.KeepPolicy | keeping.AdvancePolicy)
        return keeping.decide(states[0], command)

    def belongs(self, event: Event) -> tuple[Target, ...]:
        if isinstance(event, e.StandingEvent):
            return (Target(STANDING, event.subject_id),)
        assert isinstance(event, keeping.PolicyKept | keeping.PolicyAdvanced)
        return (Target(POLICY, event.policy_id),)

    def evolve(self, target: Target, state: Any, event: Event) -> Any:
        if isinstance(event, e.StandingEvent):
            return evolve_standing(state, event)
        assert isinstance(event, keeping.PolicyKept | keeping.PolicyAdvanced)
        return keeping.evolve(state, event)

    def encode(self, target: Target, state: Any) -> Mapping[str, Any]:
        if target.kind == POLICY:
            return {"versions": list(state.versions)}
        row: Mapping[str, Any] = _STANDINGS.dump_python(state.standing, mode="json")
        return row

    def outgoing(self, event: Event, decided: Decided) -> Outgoing:
        name = NAMES[type(event)]
        left_out = LEFT_OUT.get(type(event), frozenset())
        data = {
            field: value
            for field, value in _EVENTS[type(event)].dump_python(event, mode="json").items()
            if field not in left_out
        }
        own = name in OWN
        key = event.subject_id if isinstance(event, e.StandingEvent) else str(data["policy_id"])
        return Outgoing(
            topic=None if own else AWARDS.name,
            key=key,
            type=name,
            data=data,
            occurred_at=decided.command.at,
            custody_epoch=None if own else _epoch(event, decided),
        )

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        wishes: list[Schedule | Cancel] = []
        for event in decided.events:
            match event:
                case e.StarReviewed(outcome="pass"):
                    wishes.append(
                        Schedule(
                            "show-star",
                            Target(STANDING, event.subject_id),
                            data={"policy_id": event.policy_id},
                            discriminator=event.policy_id,
                        )
                    )
                case e.CellsWanted():
                    data = _EVENTS[e.CellsWanted].dump_python(event, mode="json")
                    wishes.append(
                        Schedule("fetch-cells", Target(STANDING, event.subject_id), data=data)
                    )
                case keeping.PolicyKept():
                    begins = datetime.combine(event.effective_from, time(), SHANGHAI)
                    wishes.append(_page(event.policy_id, event.version, "", begins.astimezone(UTC)))
                case keeping.PolicyAdvanced():
                    wishes.append(_page(event.policy_id, event.version, event.after, None))
        return tuple(wishes)

    async def prepare(self, decided: Sequence[Decided]) -> None:
        """Nothing is signed here."""

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        kept = [
            (event.policy_id, event.version, event.effective_from, json.dumps(event.content))
            for one in decided
            for event in one.events
            if isinstance(event, keeping.PolicyKept)
        ]
        if kept:
            await connection.executemany(
                "INSERT INTO star_policy VALUES ($1, $2, $3, $4::jsonb)", sorted(kept)
            )
        await save_standings(connection, decided)


def _page(policy_id: str, version: int, after: str, due_at: datetime | None) -> Schedule:
    return Schedule(
        "judge-by-policy",
        Target(POLICY, policy_id),
        due_at=due_at,
        data={"policy_id": policy_id, "version": version, "after": after},
        discriminator=f"{version}\n{after}",
    )


def _epoch(event: Event, decided: Decided) -> int | None:
    """The epoch under which this city held the dossier: that of before, but of an adoption."""
    if isinstance(event, e.RewardsAdopted):
        return event.new_epoch
    match next(iter(decided.before.values())).standing:
        case Home(epoch=epoch) | Frozen(epoch=epoch):
            return epoch
        case Departed(new_epoch=epoch):
            return epoch - 1
        case _:
            state = next(iter(decided.states.values())).standing
            return state.epoch if isinstance(state, Home | Frozen) else None


def standing_of(row: Mapping[str, Any] | None) -> Standing:
    """The standing of an aggregate's row; no row: nothing is known of the subject."""
    return Absent() if row is None else _STANDINGS.validate_python(row)


def _kept(row: Mapping[str, Any] | None) -> keeping.KeptPolicy:
    return keeping.KeptPolicy(versions=tuple(row["versions"]) if row else ())
