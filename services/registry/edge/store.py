"""What does a decision need beside the aggregates' rows, and what do our GETs read afterwards?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from services.registry.domain.applicants import events as ae
from services.registry.domain.applicants.commands import ProveIdentity, RegisterApplicant
from services.registry.domain.applicants.state import Applied, Ended
from services.registry.domain.codes import events as ce
from services.registry.domain.codes.commands import CheckIdentity
from services.registry.domain.codes.state import Code
from services.registry.domain.identity import Secrets
from services.registry.domain.names import has_private_use
from services.registry.domain.organisations import events as oe
from services.registry.domain.organisations.commands import FileOrganisation, RegisterOrganisation
from services.registry.domain.policies import events as pe
from services.registry.domain.volunteers import events as ve
from services.registry.domain.volunteers.commands import (
    IssueTransferCode,
    LinkSubject,
    RegisterVolunteer,
)
from services.registry.edge import sql
from services.registry.edge.vault import Sealed, Vault, identities_of, profile_of
from shared.ledger import Decided, Target
from shared.messages import Command
from shared.postgres import Connection

Row = tuple[Any, ...]


@dataclass(slots=True)
class Rows:
    """What one batch writes to our own tables, by statement, in the order of the commands."""

    steps: list[tuple[str, Row]] = field(default_factory=list)

    def add(self, statement: str, *row: Any) -> None:
        self.steps.append((statement, row))


class Store:
    """The window before a decision, the vault between, the tables after it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        # Sealed between deciding and writing; written and forgotten by ``save``.
        self._sealed: dict[UUID, Sealed] = {}

    async def window(
        self, connection: Connection, commands: Sequence[Command], states: dict[Target, Any]
    ) -> Mapping[Target, Any]:
        """The codes' secrets and the applicants' birth dates, for the commands that need them."""
        shown = [
            Target("code", each.code_id)
            for each in commands
            if isinstance(each, CheckIdentity) and each.code_id is not None
        ]
        wanted = sorted({t.id for t in shown if isinstance(states.get(t), Code)})
        for row in await connection.fetch(sql.SECRETS, wanted) if wanted else ():
            target = Target("code", row["code_id"])
            states[target] = replace(states[target], secrets=self._secrets(row))
        linking = {each.applicant_ref for each in commands if isinstance(each, LinkSubject)}
        refs = sorted(linking)
        for row in await connection.fetch(sql.PROFILES, refs) if refs else ():
            target = Target("applicant", row["ref"])
            born = self._vault.open(sealed_of(row)).person.birth_date
            states[target] = _with_born(states[target], born)
        return states

    def _secrets(self, row: Mapping[str, Any]) -> Secrets:
        person = self._vault.open(sealed_of(row)).person
        return Secrets(
            self._vault.open_code_key(row["code_id"], row["sealed_key"]), identities_of(person)
        )

    def seal(self, decided: Sequence[Decided]) -> None:
        """Encrypts what new persons told, no connection held."""
        for each in decided:
            command = each.command
            match command:
                case RegisterVolunteer() | RegisterApplicant():
                    sealed = self._vault.seal(profile_of(command.asked))
                case RegisterOrganisation() | FileOrganisation() if command.responsible_person:
                    sealed = self._vault.seal_responsible(command.responsible_person)
                case _:
                    continue
            self._sealed[command.command_id] = sealed

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        """New rows first, set-wise; then changes in the order of the commands.

        A new row's key is random and stands in no earlier row, so it may go before everything.
        """
        rows = Rows()
        for each in decided:
            for event in each.events:
                self._row(rows, event, each)
        for statement in sql.ADDITIONS:
            added = [row for known, row in rows.steps if known == statement]
            if added:
                await connection.executemany(statement, added)
        changes = [step for step in rows.steps if step[0] not in sql.ADDITIONS]
        for statement, run in groupby(changes, key=itemgetter(0)):
            await connection.executemany(statement, [row for _, row in run])

    def _row(self, rows: Rows, event: object, decided: Decided) -> None:
        command = decided.command
        match event:
            case ve.VolunteerRegistered():
                self._person(rows, "subject", event.subject_id, decided)
                rows.add(
                    sql.ADD_REGISTRATION,
                    event.subject_id,
                    "subject",
                    event.residence_region,
                    event.verification,
                    _flagged(command),
                    command.at,
                )
            case ae.ApplicantRegistered():
                self._person(rows, "applicant", event.applicant_ref, decided)
                rows.add(
                    sql.ADD_REGISTRATION,
                    event.applicant_ref,
                    "applicant",
                    event.residence_region,
                    event.verification,
                    _flagged(command),
                    command.at,
                )
                rows.add(sql.ADD_APPLICATION, event.applicant_ref, event.login_id, command.at)
            case ve.VerificationRecorded():
                rows.add(sql.SET_VERIFICATION, event.subject_id, event.level, event.result)
            case ae.ApplicantVerified():
                rows.add(sql.SET_VERIFICATION, event.applicant_ref, event.level, event.result)
            case ve.SubjectLinked():
                rows.add(sql.MOVE_REGISTRATION, event.applicant_ref, event.subject_id)
                rows.add(sql.FORGET_OLD_VAULT, event.applicant_ref, event.subject_id)
                rows.add(sql.MOVE_PERSON, event.applicant_ref, event.subject_id)
                rows.add(sql.DROP_CODE, event.applicant_ref)
            case ve.SubjectDeparted():
                rows.add(sql.SET_HOME, event.subject_id, event.home)
            case ve.TransferCodeIssued():
                assert isinstance(command, IssueTransferCode)
                sealed = self._vault.seal_code_key(event.code_id, command.secrets.key)
                rows.add(sql.ADD_CODE, event.code_id, event.subject_id, sealed)
                rows.add(sql.ADD_CODE_ISSUED, event.code_id, event.subject_id, event.issued_at)
            case ce.CodeSettled() | ce.CodeCancelled() | ce.CodeTried():
                if isinstance(event, ce.CodeTried):
                    rows.add(
                        sql.ADD_CODE_TRY,
                        event.code_id,
                        event.transfer_id,
                        event.city,
                        event.outcome,
                        command.at,
                    )
                if decided.states[Target("code", event.code_id)].standing in ("spent", "burnt"):
                    rows.add(sql.FORGET_CODE, event.code_id)
            case _:
                self._other_row(rows, event, command)

    def _other_row(self, rows: Rows, event: object, command: Command) -> None:
        match event:
            case ae.CodeKept():
                assert isinstance(command, ProveIdentity) and command.code_key is not None
                sealed = self._vault.seal_code_key(event.code_id, command.code_key)
                rows.add(sql.KEEP_CODE, event.applicant_ref, event.code_id, sealed)
            case ae.CodeDropped():
                rows.add(sql.DROP_CODE, event.applicant_ref)
            case ae.ApplicantForgotten():
                rows.add(sql.DROP_CODE, event.applicant_ref)
                rows.add(sql.FORGET_VAULT, event.applicant_ref)
                rows.add(sql.FORGET_REGISTRATION, event.applicant_ref)
            case ae.TransferStatusNoted():
                rows.add(
                    sql.NOTE_TRANSFER,
                    event.transfer_id,
                    event.role,
                    event.applicant_ref,
                    event.subject_id,
                    event.since,
                )
            case oe.OrganisationRegistered() | oe.OrganisationFiled():
                self._organisation(rows, event, command)
            case oe.OrganisationSanctioned():
                rows.add(sql.SET_STANDING, event.organisation_id, event.status)
            case pe.PolicyPublished():
                rows.add(
                    sql.ADD_VERSION,
                    event.policy_id,
                    event.version,
                    event.kind,
                    list(event.jurisdiction),
                    event.effective_from,
                    event.correction,
                    event.source,
                    json.dumps(event.content, ensure_ascii=False),
                    event.published_at,
                )

    def _person(self, rows: Rows, kind: str, ref: str, decided: Decided) -> None:
        sealed = self._sealed.pop(decided.command.command_id)
        rows.add(sql.ADD_VAULT, sealed.vault_id, sealed.wrapped_key, sealed.profile)
        rows.add(sql.ADD_PERSON, ref, kind, sealed.vault_id)

    def _organisation(
        self,
        rows: Rows,
        event: oe.OrganisationRegistered | oe.OrganisationFiled,
        command: Command,
    ) -> None:
        sealed = self._sealed.pop(command.command_id, None)
        if sealed is not None:
            rows.add(sql.ADD_VAULT, sealed.vault_id, sealed.wrapped_key, sealed.profile)
        filing = event.filing
        rows.add(
            sql.ADD_ORGANISATION,
            event.organisation_id,
            event.name,
            event.kind,
            event.uscc,
            None if filing is None else filing.office,
            None if filing is None else filing.number,
            event.seat_region,
            event.scope,
            event.established_on,
            event.charity,
            event.supervising_body_id,
            event.status,
            None if sealed is None else sealed.vault_id,
        )


def sealed_of(row: Mapping[str, Any]) -> Sealed:
    """The sealed profile in a row of the vault."""
    return Sealed(row["vault_id"], row["wrapped_key"], row["profile"])


def _with_born(state: Any, born: Any) -> Any:
    match state:
        case Applied():
            return replace(state, born=born)
        case Ended():
            return replace(state, was=replace(state.was, born=born))
    return state


def _flagged(command: Command) -> bool:
    """Whether the name holds characters of an older system's fonts: to be verified by hand."""
    assert isinstance(command, RegisterVolunteer | RegisterApplicant)
    return has_private_use(command.asked.person.name)
