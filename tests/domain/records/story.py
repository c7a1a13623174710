"""A dossier in memory, with everyone around it: named people, bodies, rules, and a clock's hand.

The window of a dossier that began empty holds all that was ever put in, so no database is needed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.decider import decide
from services.records.domain.dossiers.evolve import absent, evolve
from services.records.domain.dossiers.folding import City
from services.records.domain.dossiers.state import Dossier, Window
from services.records.domain.entries import Version, read_body
from services.records.domain.knowledge import Organisation, PolicyVersion, Sanction
from services.records.domain.staging.state import StagingView, Unheard
from shared.canonical import digest
from shared.messages import Actor, Event, Grant, Rejection, system
from shared.working_days import load_calendar

AMBER = City("amber", load_calendar())
LI_HUA = "ad19f606e2c579ee04a48dbaf59f5897"
WANG = "be2d4086607fcd243e69cc3d620dac96"
TEAM = "org-team"
PARENT = "org-parent"
OTHER = "org-other"
T1, T2 = "1" * 64, "2" * 64

RECORDER = Actor("staff-07", (Grant("recorder", TEAM),))
APPROVER = Actor("staff-12", (Grant("approver", TEAM),))
PARENT_APPROVER = Actor("staff-90", (Grant("approver", PARENT),))
OTHER_RECORDER = Actor("staff-55", (Grant("recorder", OTHER),))
OTHER_APPROVER = Actor("staff-56", (Grant("approver", OTHER),))
COUNTY = Actor("officer-1", (Grant("county_reviewer", region="500106"),))
CITY_REVIEWER = Actor("officer-2", (Grant("city_reviewer", region="500000"),))
ELSEWHERE_REVIEWER = Actor("officer-3", (Grant("city_reviewer", region="510100"),))
SYSTEM = system("records")

MONDAY = datetime(2026, 9, 21, 2, 0, tzinfo=UTC)
PLACE = c.Place(region_code="500106", name="晨光社区志愿服务站")

_ids = count(1)


def organisation(organisation_id: str = TEAM, **changes: Any) -> Organisation:
    basis = Organisation(
        organisation_id=organisation_id,
        name="晨光社区志愿服务队",
        kind="grassroots_team",
        uscc=None,
        filing={"office": "某街道办事处", "number": "备〔2026〕015号"},
        seat_region="500106",
        supervising_body_id=PARENT if organisation_id == TEAM else None,
        status="active",
    )
    return replace(basis, **changes)


def sanction(begins: date, until: date | None = None) -> Sanction:
    return Sanction(
        decision_id="d-1", kind="stop_and_rectify", begins=begins, until=until, status="stopped"
    )


def recording_policy(version: int = 1, since: str = "1990-01-01", **content: Any) -> PolicyVersion:
    return PolicyVersion(
        policy_id="cn-recording",
        version=version,
        kind="recording",
        jurisdiction=("*",),
        effective_from=date.fromisoformat(since),
        content={
            "record_within_working_days": 10,
            "day_tiers": [
                {"to": 480, "body": "recorder"},
                {"to": 720, "body": "parent_organisation"},
                {"to": None, "body": "higher_authority"},
            ],
            "approver_may_be_recorded_by": False,
            **content,
        },
    )


def window(**changes: Any) -> Window:
    return Window(
        organisations={each: organisation(each) for each in (TEAM, PARENT, OTHER)},
        policies=(recording_policy(),),
        lines={},
        whole=True,
        **changes,
    )


def at(text: str) -> datetime:
    """``"2026-09-19 09:00"``: a local time."""
    return datetime.strptime(text + "+0800", "%Y-%m-%d %H:%M%z").astimezone(UTC)


class Story:
    """What happens to one dossier, command by command."""

    def __init__(
        self, subject: str = LI_HUA, now: datetime = MONDAY, city: City = AMBER, opened: bool = True
    ) -> None:
        self.subject, self.now, self.city = subject, now, city
        self.dossier = Dossier(absent(subject).row, window())
        self.events: list[Event] = []
        if opened:
            self.does(self.open())

    def does(self, command: Any, staging: StagingView | None = None) -> tuple[Event, ...]:
        """Decides and folds; a refusal here is a failure of the story."""
        ruling = self.rules(command, staging)
        assert not isinstance(ruling, Rejection), ruling
        for event in ruling:
            self.dossier = evolve(self.dossier, event)
        self.events.extend(ruling)
        self.now += timedelta(seconds=1)
        return ruling

    def refuses(self, command: Any, staging: StagingView | None = None) -> Rejection:
        ruling = self.rules(command, staging)
        assert isinstance(ruling, Rejection), ruling
        return ruling

    def rules(self, command: Any, staging: StagingView | None = None) -> Any:
        if isinstance(command, c.AdoptDossier) and staging is None:
            staging = StagingView(Unheard(transfer_id=command.staged_by))
        return decide(self.dossier, command, self.city, staging)

    @property
    def totals(self) -> Any:
        return self.dossier.row.log.totals  # type: ignore[union-attr]

    @property
    def credited(self) -> int:
        return int(self.totals.credited_minutes)

    def common(self, actor: Actor) -> dict[str, Any]:
        n = next(_ids)
        return {"command_id": UUID(int=n), "actor": actor, "at": self.now}

    def open(self, first: date = date(2019, 3, 5)) -> c.OpenDossier:
        return c.OpenDossier(
            subject_id=self.subject, first_registered_on=first, **self.common(SYSTEM)
        )

    def service(
        self,
        start: str | None = "2026-09-19 09:00",
        end: str | None = "2026-09-19 11:00",
        actor: Actor = RECORDER,
        **changes: Any,
    ) -> c.RecordService:
        """A service of two hours on a Saturday, unless told otherwise."""
        outer = {
            name: changes.pop(name)
            for name in ("organisation_id", "evidence_class", "evidence_id", "source", "batch")
            if name in changes
        }
        facts = {
            "activity_name": "社区清洁",
            "category": "service",
            "place": PLACE,
            "field_code": "community_affairs",
            "started_at": at(start) if start else None,
            "ended_at": at(end) if end else None,
            **changes,
        }
        return c.RecordService(
            subject_id=self.subject,
            salt=f"{next(_ids):032x}",
            facts=c.ServiceFacts(**facts),
            **{"organisation_id": TEAM, "evidence_class": "leader_entry", **outer},
            **self.common(actor),
        )

    def training(self, actor: Actor = RECORDER, **changes: Any) -> c.RecordTraining:
        facts = {
            "name": "急救基础",
            "held_by": "红十字会",
            "occurred_on": date(2026, 9, 19),
            "minutes": 180,
            **changes,
        }
        return c.RecordTraining(
            subject_id=self.subject,
            salt=f"{next(_ids):032x}",
            organisation_id=TEAM,
            evidence_class="leader_entry",
            facts=c.TrainingFacts(**facts),
            **self.common(actor),
        )

    def star(self, level: int = 1, award_id: str = "award-1", **changes: Any) -> c.RecordStar:
        values: dict[str, Any] = {
            "awarded_at": self.now,
            "award_id": award_id,
            "level": level,
            "name": "一星志愿者",
            "policy_id": "cn-default",
            "policy_version": 1,
            "basis_minutes": 6000,
            "cutoff_on": None,
            "award_mode": "application",
            "authority_level": "county",
            "decision_id": None,
            "awarded_on": date(2026, 9, 20),
            "decided_by": c.Authority(organisation_id="gov-1", name="区民政局", kind="government"),
            **changes,
        }
        return c.RecordStar(
            subject_id=self.subject,
            salt=f"{next(_ids):032x}",
            **{**self.common(values.pop("actor", SYSTEM)), **values},
        )

    def entry(self, shape: Any, of: Any, actor: Actor, **more: Any) -> Any:
        """A command about an entry: of an event about it, or an (issuer, entry_id)."""
        issuer, entry_id = of if isinstance(of, tuple) else of.version.key
        return shape(
            subject_id=self.subject,
            issuer=issuer,
            entry_id=entry_id,
            salt=f"{next(_ids):032x}",
            **more,
            **self.common(actor),
        )

    def approve(self, of: Any, actor: Actor = APPROVER) -> c.ApproveEntry:
        return self.entry(c.ApproveEntry, of, actor)

    def reject(self, of: Any, actor: Actor = APPROVER, **more: Any) -> c.RejectEntry:
        return self.entry(c.RejectEntry, of, actor, **more)

    def correct(self, of: Any, actor: Actor = RECORDER, **more: Any) -> c.CorrectEntry:
        current = max(
            (each.version.version for each in self.dossier.window.known.get(_key(of), ())),
            default=1,
        )
        return self.entry(
            c.CorrectEntry,
            of,
            actor,
            **{
                "from_version": current,
                "changes": {},
                "reason": "wrong_end: 签退时间记错",
                "evidence_id": "evd-1",
                **more,
            },
        )

    def revoke(self, of: Any, actor: Actor = RECORDER, **more: Any) -> c.RevokeEntry:
        return self.entry(c.RevokeEntry, of, actor, **{"reason": "duplicate", **more})

    def recorded(self, *args: Any, **kwargs: Any) -> Any:
        """A service, recorded: its event."""
        return self.does(self.service(*args, **kwargs))[0]

    def approved(self, *args: Any, **kwargs: Any) -> Any:
        """A service, recorded and approved: the event of its approval."""
        return self.does(self.approve(self.recorded(*args, **kwargs)))[0]

    def freeze(self, transfer_id: str = T1, epoch: int = 1) -> c.FreezeDossier:
        return c.FreezeDossier(
            subject_id=self.subject, transfer_id=transfer_id, epoch=epoch, **self.common(SYSTEM)
        )

    def thaw(self, transfer_id: str = T1) -> c.ThawDossier:
        return c.ThawDossier(
            subject_id=self.subject, transfer_id=transfer_id, **self.common(SYSTEM)
        )

    def depart(self, transfer_id: str = T1, epoch: int = 1, home: str = "birch") -> c.DepartDossier:
        return c.DepartDossier(
            subject_id=self.subject,
            transfer_id=transfer_id,
            epoch=epoch,
            new_epoch=epoch + 1,
            home=home,
            **self.common(SYSTEM),
        )

    def adopt(
        self, transfer_id: str = T1, new_epoch: int = 2, state_digest: str = "ab" * 32
    ) -> c.AdoptDossier:
        return c.AdoptDossier(
            subject_id=self.subject,
            transfer_id=transfer_id,
            new_epoch=new_epoch,
            state_digest=state_digest,
            staged_by=transfer_id,
            **self.common(SYSTEM),
        )

    def late(self, *entries: c.JudgedEntry, k: int = 1, sender: str = "birch") -> c.ApplyLateChange:
        return c.ApplyLateChange(
            subject_id=self.subject,
            transfer_id=T1,
            sender=sender,
            incarnation=1,
            k=k,
            entries=entries,
            **self.common(SYSTEM),
        )


def judged(version: Any, code: str | None = None) -> c.JudgedEntry:
    """A version as it came from its issuer, its signature judged."""
    return c.JudgedEntry(
        issuer=version.issuer,
        entry_id=version.entry_id,
        version=version.version,
        signed={"body": version.body, "kid": "k", "sig": "s"},
        digest=version.digest,
        code=code,
    )


def foreign_version(
    entry: str = "birch-01M4PSZ9M04JKNBNRKBQFY684T", version: int = 1, **changes: Any
) -> Version:
    """A service of two hours that the city birch recorded, approved unless told otherwise."""
    state = changes.pop("state", "approved")
    body: dict[str, Any] = {
        "v": "entry/1",
        "kind": "service",
        "issuer": "birch",
        "subject_id": LI_HUA,
        "entry_id": entry,
        "version": version,
        "state": state,
        "minutes": 120,
        "counted_minutes": 120 if state == "approved" else 0,
        "occurred_on": "2026-09-19",
        "recorded_at": "2026-09-20T03:00:00Z",
        "reason": None if version == 1 else "approved",
        "detail": {
            "recorder": {"organisation_id": "org-birch", "name": "x"},
            "evidence_class": "auto_qr",
            "source": {"system": "birch", "id": None},
            "body": {
                "category": "service",
                "field_code": "elderly_care",
                "started_at": "2026-09-19T02:00:00Z",
                "ended_at": "2026-09-19T04:00:00Z",
                "place": {"region_code": "510104"},
            },
        },
        "salt": "0" * 32,
        **changes,
    }
    return read_body(body, digest(body))


def shown(version: Version, until: str) -> Version:
    """The version with which an entry is shown until a day."""
    assert version.body is not None
    detail = {**version.body["detail"], "publicity": {"until": until}}
    body = {
        **version.body,
        "version": version.version + 1,
        "state": "publicised",
        "reason": "shown",
        "detail": detail,
    }
    return read_body(body, digest(body))


def _key(of: Any) -> tuple[str, str]:
    return of if isinstance(of, tuple) else of.version.key


def names(events: tuple[Event, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


__all__ = [name for name in dir() if not name.startswith("_")] + ["e"]


def finish_freeze(story: Story, state_digest: str, transfer_id: str = T1) -> c.FinishFreeze:
    """What the job of a large dossier brings back."""
    return c.FinishFreeze(
        subject_id=story.subject,
        transfer_id=transfer_id,
        state_digest=state_digest,
        **story.common(SYSTEM),
    )
