"""In how many ways does an import say no?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from shared.messages import Rejection


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
    nature: ClassVar[Literal["absent"]] = "absent"
    zh: ClassVar[str] = "没有这个批次。"
    en: ClassVar[str] = "There is no such batch."


@dataclass(frozen=True)
class BatchIsNotOpen(Rejection):
    status: str
    zh: ClassVar[str] = "批次已不接收新行（{status}）。"
    en: ClassVar[str] = "The batch takes no more rows ({status})."


@dataclass(frozen=True)
class BatchIsOpen(Rejection):
    zh: ClassVar[str] = "批次尚未关闭，请先由导入人关闭。"
    en: ClassVar[str] = "The batch is open; its opener closes it first."


@dataclass(frozen=True)
class BatchIsDecided(Rejection):
    status: str
    zh: ClassVar[str] = "批次已有决定（{status}）。"
    en: ClassVar[str] = "The batch is decided already ({status})."


@dataclass(frozen=True)
class BatchIsNotApproved(Rejection):
    status: str
    zh: ClassVar[str] = "批次未经批准（{status}），不能撤销。"
    en: ClassVar[str] = "The batch is not approved ({status}) and cannot be revoked."


@dataclass(frozen=True)
class RowsAreMissing(Rejection):
    count: int
    zh: ClassVar[str] = "还缺 {count} 行，请续传后再关闭。"
    en: ClassVar[str] = "{count} rows are missing; send them before closing."


@dataclass(frozen=True)
class MinutesDisagreeWithDeclared(Rejection):
    minutes: int
    declared_minutes: int
    zh: ClassVar[str] = "各行合计 {minutes} 分钟，与申报的 {declared_minutes} 分钟不符。"
    en: ClassVar[str] = "The rows sum to {minutes} minutes, declared were {declared_minutes}."
