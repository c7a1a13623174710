"""In how many ways does an import say no?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from shared.messages import Nature, Rejection, Terms

_STATUSES: Final[Terms] = {
    "status": {
        "open": "尚未关闭",
        "closed": "已关闭",
        "approved": "已批准",
        "rejected": "已退回",
        "revoked": "已撤销",
    }
}


@dataclass(frozen=True)
class SameSheetImported(Rejection):
    batch_id: str
    zh: ClassVar[str] = "同一份表格已导入（批次 {batch_id}）。如需更正，请在新表中只列更正的行。"
    en: ClassVar[str] = (
        "This very sheet was imported as batch {batch_id}. For corrections send a sheet of the "
        "corrected rows only."
    )


@dataclass(frozen=True)
class BatchIsUnknown(Rejection):
    nature: ClassVar[Nature] = "absent"
    zh: ClassVar[str] = "没有这个批次，或您无权查看。请核对批次编号。"
    en: ClassVar[str] = "There is no such batch, or you may not see it. Check its id."


@dataclass(frozen=True)
class BatchIsNotOpen(Rejection):
    status: str
    zh: ClassVar[str] = "批次{status}，不再接收新行。请另建批次导入其余各行。"
    en: ClassVar[str] = (
        "The batch is {status} and takes no more rows. Open another batch for the rest."
    )
    terms: ClassVar[Terms] = _STATUSES


@dataclass(frozen=True)
class BatchIsOpen(Rejection):
    zh: ClassVar[str] = "批次尚未关闭。请先由导入人关闭。"
    en: ClassVar[str] = "The batch is open. Let its opener close it first."


@dataclass(frozen=True)
class BatchIsDecided(Rejection):
    status: str
    zh: ClassVar[str] = "批次{status}，不能再次决定。如已批准的批次有误，可予撤销。"
    en: ClassVar[str] = "The batch is {status} already. If an approved batch is wrong, revoke it."
    terms: ClassVar[Terms] = _STATUSES


@dataclass(frozen=True)
class BatchIsNotApproved(Rejection):
    status: str
    zh: ClassVar[str] = "只有已批准的批次可以撤销，该批次{status}。请核对批次；尚未决定的可以退回。"
    en: ClassVar[str] = (
        "Only an approved batch can be revoked, this one is {status}. Check it; one that is not "
        "decided yet may be rejected."
    )
    terms: ClassVar[Terms] = _STATUSES


@dataclass(frozen=True)
class RowsAreMissing(Rejection):
    count: int
    zh: ClassVar[str] = "还缺 {count} 行。请续传后再关闭。"
    en: ClassVar[str] = "{count} rows are missing. Send them before closing."


@dataclass(frozen=True)
class MinutesDisagreeWithDeclared(Rejection):
    minutes: int
    declared_minutes: int
    zh: ClassVar[str] = (
        "各行合计 {minutes} 分钟，与申报的 {declared_minutes} 分钟不符。请核对表格；如申报有误，"
        "请退回后重新导入。"
    )
    en: ClassVar[str] = (
        "The rows sum to {minutes} minutes, declared were {declared_minutes}. Check the sheet, or "
        "reject the batch and import it anew."
    )
