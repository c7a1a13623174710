"""What must be done later or on other aggregates, and what does each job ask of the ledger?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.registry.domain.applicants.commands import (
    DropCode,
    EndApplication,
    ForgetApplicant,
    VerifyApplicant,
)
from services.registry.domain.applicants.state import Ended, Linked
from services.registry.domain.codes.commands import SettleCode
from services.registry.domain.logins.commands import MoveLogin, ReviseDocument
from services.registry.domain.logins.events import Owner
from services.registry.domain.volunteers.commands import RecordVerification
from services.registry.domain.volunteers.state import Departed
from services.registry.edge import schedule
from services.registry.edge.desk import Desk
from services.registry.edge.verification import checkable
from shared.ids import job_command_id
from shared.jobs import Job, JobHandler
from shared.messages import Command, system


def handlers(desk: Callable[[], Desk]) -> Mapping[str, JobHandler]:
    """By kind; ``desk`` is asked when a job runs, for it needs the ledger."""
    house = _House(desk)
    return {
        schedule.VERIFY: house.verify,
        schedule.END_APPLICATION: house.end_application,
        schedule.FORGET_APPLICANT: house.forget_applicant,
        schedule.DROP_CODE: house.drop_code,
        schedule.SETTLE_CODE: house.settle_code,
        schedule.FREE_DOCUMENTS: house.free_documents,
        schedule.POINT_DOCUMENTS: house.point_documents,
        schedule.MOVE_PERSON: house.move_person,
    }


class _House:
    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk

    async def verify(self, job: Job) -> Sequence[Command]:
        """Asks the real-name service again (S3)."""
        desk, ref = self._desk(), job.target.id
        profiles = await desk.profiles([ref], "system:registry", "real-name verification")
        person = profiles[ref].person if ref in profiles else None
        document = None if person is None else checkable(person)
        if person is None or document is None:
            return ()
        result = await desk.checker.document(document, person.name)
        if result is None:
            return ()
        answered = {
            "level": None,
            "method": "online",
            "result": result,
            "checked_at": desk.clock.now(),
            "attempt": int(job.data.get("attempt", 0)),
        }
        if job.target.kind == "applicant":
            return self._commands(job, (VerifyApplicant, answered | {"applicant_ref": ref}))
        return self._commands(job, (RecordVerification, answered | {"subject_id": ref}))

    async def end_application(self, job: Job) -> Sequence[Command]:
        """Nobody followed it up."""
        return self._commands(job, (EndApplication, {"applicant_ref": job.target.id}))

    async def forget_applicant(self, job: Job) -> Sequence[Command]:
        """Thirty days after its end."""
        return self._commands(job, (ForgetApplicant, {"applicant_ref": job.target.id}))

    async def drop_code(self, job: Job) -> Sequence[Command]:
        """Seven days after it was shown."""
        return self._commands(job, (DropCode, {"applicant_ref": job.target.id}))

    async def settle_code(self, job: Job) -> Sequence[Command]:
        """The transfer that a code was bound to has ended."""
        return self._commands(job, (SettleCode, {"code_id": job.target.id, **job.data}))

    async def free_documents(self, job: Job) -> Sequence[Command]:
        """An application has ended: its documents belong to nobody here."""
        ref = job.target.id
        state = await self._desk().state("applicant", ref)
        keys = state.was.documents if isinstance(state, Ended) else ()
        return self._commands(
            job,
            *((ReviseDocument, {"document_digest": key.digest, "freed": ref}) for key in keys),
        )

    async def point_documents(self, job: Job) -> Sequence[Command]:
        """She has departed: her documents point to the new city."""
        state = await self._desk().state("volunteer", job.target.id)
        if not isinstance(state, Departed):
            return ()
        owner = Owner("subject", state.was.subject_id)
        pointing = {"owner": owner, "elsewhere": state.home}
        return self._commands(
            job,
            *(
                (ReviseDocument, {"document_digest": key.digest, **pointing})
                for key in state.was.documents
            ),
        )

    async def move_person(self, job: Job) -> Sequence[Command]:
        """The applicant is a subject: documents and login follow."""
        state = await self._desk().state("applicant", job.target.id)
        if not isinstance(state, Linked):
            return ()
        owner = Owner("subject", state.subject_id)
        login = {
            "login_id": state.login_id,
            "applicant_ref": state.applicant_ref,
            "subject_id": state.subject_id,
        }
        return self._commands(
            job,
            *(
                (ReviseDocument, {"document_digest": key.digest, "owner": owner})
                for key in state.documents
            ),
            (MoveLogin, login),
        )

    def _commands(
        self, job: Job, *wishes: tuple[Callable[..., Command], dict[str, Any]]
    ) -> list[Command]:
        """The last one bears the job's own id; a repeat of the job makes the same."""
        at = self._desk().clock.now()
        last = len(wishes) - 1
        return [
            make(
                command_id=job.id if n == last else job_command_id(job.id, n),
                actor=system("registry"),
                at=at,
                causation_id=str(job.id),
                correlation_id=job.correlation_id,
                **fields,
            )
            for n, (make, fields) in enumerate(wishes)
        ]
