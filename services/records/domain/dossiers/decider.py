"""What follows from each command at each state of a dossier? The table on one screen."""

from __future__ import annotations

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers.approving import approve, reject
from services.records.domain.dossiers.arriving import (
    apply_late_change,
    receive_supplement,
    release_quarantined,
)
from services.records.domain.dossiers.correcting import correct, revoke
from services.records.domain.dossiers.folding import City
from services.records.domain.dossiers.moving import (
    adopt,
    depart,
    finish_freeze,
    freeze,
    open_dossier,
    thaw,
)
from services.records.domain.dossiers.recording import (
    Ruling,
    record_service,
    record_star,
    record_training,
)
from services.records.domain.dossiers.state import Dossier
from services.records.domain.staging.state import StagingView


def decide(
    dossier: Dossier, command: c.DossierCommand, city: City, staging: StagingView | None = None
) -> Ruling:
    """Events, silence, or a refusal; ``staging`` is that of the transfer that is adopted."""
    match command:
        case c.OpenDossier():
            return open_dossier(dossier, command, city)
        case c.RecordService():
            return record_service(dossier, command, city)
        case c.RecordTraining():
            return record_training(dossier, command, city)
        case c.RecordStar():
            return record_star(dossier, command, city)
        case c.ApproveEntry():
            return approve(dossier, command, city)
        case c.RejectEntry():
            return reject(dossier, command, city)
        case c.CorrectEntry():
            return correct(dossier, command, city)
        case c.RevokeEntry():
            return revoke(dossier, command, city)
        case c.FreezeDossier():
            return freeze(dossier, command, city)
        case c.FinishFreeze():
            return finish_freeze(dossier, command, city)
        case c.ThawDossier():
            return thaw(dossier, command, city)
        case c.DepartDossier():
            return depart(dossier, command, city)
        case c.AdoptDossier():
            assert staging is not None
            return adopt(dossier, staging, command, city)
        case c.ReceiveSupplement():
            return receive_supplement(dossier, command, city)
        case c.ApplyLateChange():
            return apply_late_change(dossier, command, city)
        case c.ReleaseQuarantined():
            return release_quarantined(dossier, command, city)
