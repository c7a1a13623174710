"""What becomes of entries that come late from another city? (protocol.md 8 check 8, 10.3)

Each version is judged by itself: joined or held, a duplicate, or quarantined with its code. The
higher version wins, not the later arrival (R31, R44, B12).
"""

from __future__ import annotations

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.evolve import channel_of
from services.records.domain.dossiers.folding import ARRIVED, City, Fold
from services.records.domain.dossiers.recording import Ruling
from services.records.domain.dossiers.state import Absent, Dossier, Present
from services.records.domain.entries import HOME_KINDS, read_body
from services.records.domain.rejections import SubjectIsUnknown, SupplementIsEarly
from shared.messages import Rejection

MAX_ENTRIES = 50
WRONG_SUBJECT = "TR-404"
OTHER_CONTENT = "TR-411"
NEVER_HOME = "TR-412"


def receive_supplement(dossier: Dossier, command: c.ReceiveSupplement, city: City) -> Ruling:
    row = dossier.row
    if isinstance(row, Absent):
        return SubjectIsUnknown()
    return (
        e.SupplementTaken(
            subject_id=command.subject_id,
            custody_epoch=row.epoch,
            transfer_id=command.transfer_id,
            sender=command.sender,
            incarnation=command.incarnation,
            k=command.k,
            digest=command.digest,
            path=command.path,
        ),
    )


def apply_late_change(dossier: Dossier, command: c.ApplyLateChange, city: City) -> Ruling:
    """All entries of one supplement in one step; said again, they are duplicates."""
    row = dossier.row
    if isinstance(row, Absent):
        return SubjectIsUnknown()
    channel = channel_of(command.transfer_id, command.sender, command.incarnation)
    expected = row.channels.get(channel, 0) + 1
    if command.k > expected:
        return SupplementIsEarly(expected)
    fold = Fold(dossier, city)
    new = duplicates = 0
    quarantined: list[e.EntryQuarantined] = []
    for entry in command.entries:
        code = judge(fold.dossier, entry, city)
        if code is not None:
            kept = _quarantine(row, entry, code, command.transfer_id)
            fold.put(kept)
            quarantined.append(kept)
        elif seen(fold.dossier, entry):
            duplicates += 1
        else:
            refused = _enter(fold, entry)
            if refused is not None:
                return refused
            new += 1
    fold.put(
        e.SupplementApplied(
            subject_id=command.subject_id,
            custody_epoch=row.epoch,
            transfer_id=command.transfer_id,
            sender=command.sender,
            incarnation=command.incarnation,
            k=command.k,
            new=new,
            duplicates=duplicates,
            quarantined=len(quarantined),
            first_quarantined=quarantined[0] if quarantined else None,
        )
    )
    return tuple(fold.events)


def release_quarantined(dossier: Dossier, command: c.ReleaseQuarantined, city: City) -> Ruling:
    """Judged again with a newer directory; what passes joins as if it came now."""
    row = dossier.row
    if isinstance(row, Absent):
        return SubjectIsUnknown()
    fold = Fold(dossier, city)
    for entry in command.entries:
        if judge(fold.dossier, entry, city) is not None:
            continue
        if not seen(fold.dossier, entry):
            refused = _enter(fold, entry)
            if refused is not None:
                return refused
        fold.put(
            e.QuarantineEnded(
                subject_id=command.subject_id,
                custody_epoch=row.epoch,
                issuer=entry.issuer,
                entry_id=entry.entry_id,
                version=entry.version,
                digest=entry.digest,
            )
        )
    return tuple(fold.events)


def judge(dossier: Dossier, entry: c.JudgedEntry, city: City) -> str | None:
    """The code of check 8 that keeps it out, or None. Form and signature the edge has judged."""
    row = dossier.row
    assert isinstance(row, Present)
    if entry.code is not None:
        return entry.code
    body = entry.signed["body"]
    if body["subject_id"] != row.subject_id:
        return WRONG_SUBJECT
    known = _known_digest(dossier, entry) or entry.stored_digest
    if known is not None and known != entry.digest:
        return OTHER_CONTENT
    if body["kind"] in HOME_KINDS and body["issuer"] not in (city.node, *row.homes):
        return NEVER_HOME
    return None


def seen(dossier: Dossier, entry: c.JudgedEntry) -> bool:
    """In the log as opened or adopted, or held or announced since; not what lies before that."""
    known = dossier.window.known.get((entry.issuer, entry.entry_id), ())
    return any(
        each.version.version == entry.version and each.place in ("log", "held") for each in known
    )


def _known_digest(dossier: Dossier, entry: c.JudgedEntry) -> str | None:
    known = dossier.window.known.get((entry.issuer, entry.entry_id), ())
    return next(
        (each.version.digest for each in known if each.version.version == entry.version), None
    )


def _enter(fold: Fold, entry: c.JudgedEntry) -> Rejection | None:
    version = read_body(entry.signed["body"], entry.digest)
    return fold.enter(ARRIVED[version.state], version, signed=entry.signed, made_here=False)


def _quarantine(
    row: Present, entry: c.JudgedEntry, code: str, transfer_id: str
) -> e.EntryQuarantined:
    return e.EntryQuarantined(
        subject_id=row.subject_id,
        custody_epoch=row.epoch,
        transfer_id=transfer_id,
        issuer=entry.issuer,
        entry_id=entry.entry_id,
        version=entry.version,
        digest=entry.digest,
        code=code,
        signed=entry.signed,
    )
