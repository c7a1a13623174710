"""What does a fact of a neighbour make us do next? Facts in, commands out; nothing is decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from services.rewards.domain import facts as f
from services.rewards.domain.policies.keeping import KeepPolicy
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings.state import Cell, CellMinutes, Star, StarRef
from shared.ids import fact_command_id
from shared.messages import Actor, Command


class Origin:
    """From which event a command is made; it gives ids, times and causes."""

    def __init__(
        self, node: str, actor: Actor, event_id: UUID, at: datetime, correlation_id: str | None
    ) -> None:
        self.node = node
        self._actor, self._event_id, self._at = actor, event_id, at
        self._correlation_id = correlation_id

    def head(self, kind: str, target: str) -> dict[str, object]:
        """The fields that every command of a fact carries."""
        return {
            "command_id": fact_command_id(self._event_id, kind, target),
            "actor": self._actor,
            "at": self._at,
            "causation_id": str(self._event_id),
            "correlation_id": self._correlation_id,
        }


def react(fact: f.Fact, origin: Origin) -> tuple[Command, ...]:
    """The commands that a fact leads to."""
    match fact:
        case f.VolunteerRegistered():
            return (
                _command(
                    c.NotePerson,
                    origin,
                    fact.subject_id,
                    residence_region=fact.residence_region,
                    first_registered_on=fact.first_registered_on,
                    claimed=fact.claimed,
                ),
            )
        case f.RegistrationClaimed():
            return (_command(c.NotePerson, origin, fact.subject_id, claimed=True),)
        case f.SubjectLinked():
            return (
                _command(
                    c.NotePerson,
                    origin,
                    fact.subject_id,
                    residence_region=fact.residence_region,
                    claimed=fact.claimed,
                ),
            )
        case f.PolicyPublished() if fact.kind == "star":
            return (
                KeepPolicy(
                    **origin.head("keep-policy", fact.policy_id),  # type: ignore[arg-type]
                    policy_id=fact.policy_id,
                    version=fact.version,
                    content=fact.content,
                ),
            )
        case f.EntryFact():
            return _of_entry(fact, origin)
        case f.DossierAdopted():
            return (_adopt(fact, origin),)
        case f.TransferAdmitted():
            return (
                _command(
                    c.FreezeRewards,
                    origin,
                    fact.subject_id,
                    transfer_id=fact.transfer_id,
                    epoch=fact.epoch,
                ),
            )
        case f.TransferEnded(subject_id=str(subject), role="origin"):
            return (_command(c.ThawRewards, origin, subject, transfer_id=fact.transfer_id),)
        case f.DossierReleased():
            return (
                _command(
                    c.DepartRewards,
                    origin,
                    fact.subject_id,
                    transfer_id=fact.transfer_id,
                    new_epoch=fact.new_epoch,
                    home=fact.home,
                ),
            )
        case _:
            return ()


def _command(
    kind: type[c.StandingCommand], origin: Origin, subject_id: str, **fields: object
) -> c.StandingCommand:
    return kind(**origin.head(kind.__name__, subject_id), subject_id=subject_id, **fields)  # type: ignore[arg-type]


def _of_entry(fact: f.EntryFact, origin: Origin) -> tuple[Command, ...]:
    """Moved minutes move sums; a star entry tells of a star. All else is passed over."""
    differences = _differences(fact.moved)
    commands: list[Command] = []
    if differences:
        commands.append(
            _command(c.RecomputeStanding, origin, fact.subject_id, differences=differences)
        )
    if fact.kind == "star" and fact.stands and fact.level is not None:
        commands.append(
            _command(
                c.NoteStar,
                origin,
                fact.subject_id,
                star=_star(fact, origin.node),
                stands=fact.state == "approved",
            )
        )
    return tuple(commands)


def _differences(moved: Iterable[f.Moved]) -> tuple[CellMinutes, ...]:
    """``after − before`` per cell (a reader's whole rule for sums); zeros are left out."""
    sums: dict[Cell, int] = {}
    for one in moved:
        if one.cell is not None:
            cell = _cell(one.cell)
            sums[cell] = sums.get(cell, 0) + one.after - one.before
    return tuple(
        CellMinutes(cell=cell, minutes=minutes) for cell, minutes in sums.items() if minutes
    )


def _adopt(fact: f.DossierAdopted, origin: Origin) -> Command:
    stars = tuple(
        _star(one, origin.node) for one in fact.stars if one.stands and one.state == "approved"
    )
    if fact.cells is None:
        return _command(
            c.FetchCells,
            origin,
            fact.subject_id,
            transfer_id=fact.transfer_id,
            new_epoch=fact.new_epoch,
            first_registered_on=fact.first_registered_on,
            stars=stars,
            digest=fact.cells_digest,
            path=fact.cells_path,
        )
    return _command(
        c.AdoptRewards,
        origin,
        fact.subject_id,
        transfer_id=fact.transfer_id,
        new_epoch=fact.new_epoch,
        first_registered_on=fact.first_registered_on,
        cells=cell_minutes(fact.cells),
        stars=stars,
    )


def cell_minutes(cells: Iterable[f.CellSum]) -> tuple[CellMinutes, ...]:
    """An adoption's table as this service keeps it: sorted, without zeros."""
    kept = [CellMinutes(cell=_cell(one.cell), minutes=one.minutes) for one in cells if one.minutes]
    return tuple(sorted(kept, key=lambda one: one.cell.order()))


def _cell(cell: f.CellFact) -> Cell:
    return Cell(
        year=cell.year,
        category=cell.category,
        evidence_class=cell.evidence_class,
        source_system=cell.source_system,
        field_code=cell.field_code,
        own=cell.own,
    )


def _star(fact: f.EntryFact | f.StarFact, node: str) -> Star:
    lowers = fact.lowers
    return Star(
        issuer=fact.issuer,
        own=fact.issuer == node,
        entry_id=fact.entry_id,
        award_id=None,
        level=fact.level or 0,
        policy_id=fact.policy_id or "",
        policy_version=fact.policy_version or 1,
        basis_minutes=fact.basis_minutes or 0,
        occurred_on=fact.occurred_on,
        award_mode=fact.award_mode or "application",
        lowers=StarRef(issuer=lowers.issuer, entry_id=lowers.entry_id) if lowers else None,
    )
