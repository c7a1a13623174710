"""How does this service say no to its own node's people and programs? (protocol refusals: TR-…)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shared.messages import Nature, Rejection


@dataclass(frozen=True)
class SubjectBecameKnown(Rejection):
    """The edge made its command before the move knew its subject: it looks again and asks again."""

    waits: ClassVar[bool] = True
    zh = "该转移刚有进展。请稍候重试。"
    en = "The transfer has just moved on. Try again."


@dataclass(frozen=True)
class ConsentIsMissing(Rejection):
    """No consent, or one that does not name this city, this purpose, or is over."""

    zh = "缺少有效的转移同意书。请重新签署，写明接收城市、目的、种类和期限。"
    en = (
        "A valid consent is missing. Sign it again, naming the receiving city, the purpose, the "
        "kinds of entries and its end."
    )

    reason: str


@dataclass(frozen=True)
class GuardianConsentIsMissing(Rejection):
    """The applicant is under 18 and no verified guardian has consented."""

    zh = "申请人未满十八周岁，缺少经核验的监护人同意。请由监护人核验身份并同意后重新提交。"
    en = (
        "The applicant is under 18 and no verified guardian has consented. Let a guardian whose "
        "identity was verified consent."
    )


@dataclass(frozen=True)
class OriginIsUnknown(Rejection):
    """The directory lists no such active city, or it is this one."""

    nature: ClassVar[Nature] = "field"
    zh = "转出城市 {origin} 不在目录中或不可用。请核对城市代码。"
    en = "The origin {origin} is not an active city of the directory. Check its code."

    origin: str


@dataclass(frozen=True)
class TransferIsOpen(Rejection):
    """Another application of this person is under way here."""

    zh = "此人已有一件转移申请在办。请先完成或撤回。"
    en = "Another application of this person is under way. Finish or withdraw it first."


@dataclass(frozen=True)
class AlreadyRegisteredHere(Rejection):
    """Registry knows the person as a volunteer of this city: two registrations are merged."""

    zh = "此人已在本市注册，不能转移。请先办理两处注册的合并。"
    en = (
        "This person is registered here already and cannot be transferred. Have the two "
        "registrations merged."
    )


@dataclass(frozen=True)
class IdentityIsNotVerified(Rejection):
    """The applicant's identity has not been checked at document level."""

    zh = "申请人身份尚未核验。请出示证件或在线核验。"
    en = "The applicant's identity is not verified. Show the document or verify online."


@dataclass(frozen=True)
class ApplicationIsRefused(Rejection):
    """Registry would not prove the applicant, for a reason of its own."""

    zh = "身份模块未能为该申请出具证明。请核对申请后重新提交，或联系管理单位。"
    en = (
        "The registry would not give a proof for this application. Check it and apply "
        "again, or ask the office."
    )

    reason: str


@dataclass(frozen=True)
class CustodyHasMoved(Rejection):
    """The release has been made: nothing can end the move any more."""

    zh = "档案归属已经转移到 {home}，不能再撤回。如需转回，可重新申请。"
    en = "Custody has moved to {home} and cannot be withdrawn. Apply again to move back."

    home: str


@dataclass(frozen=True)
class TransferHasEnded(Rejection):
    """There is nothing left to withdraw."""

    zh = "该转移已经结束（{code}），无须撤回。如需转移，可重新申请。"
    en = (
        "This transfer has ended already ({code}), there is nothing to withdraw. Apply again if "
        "you want to move."
    )

    code: str


@dataclass(frozen=True)
class DossierIsNotHere(Rejection):
    """An export was asked for of a dossier that this city does not keep."""

    zh = "档案不在本市，现存放于 {home}。请向该城市申请导出。"
    en = "The dossier is not kept here, but by {home}. Ask that city for the export."

    home: str
