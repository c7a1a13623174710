"""In how many ways may a standing say no? One type each; what waits says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal

from shared.messages import Rejection

Nature = Literal["rule", "authority", "field", "absent"]


@dataclass(frozen=True)
class ActorMayNot(Rejection):
    nature: ClassVar[Nature] = "authority"
    zh = "您的角色、单位或地区无权办理此事；请由有权限的人员办理。"
    en = "Your role, organisation or region may not do this; ask someone who may."


@dataclass(frozen=True)
class FieldIsWrong(Rejection):
    nature: ClassVar[Nature] = "field"
    field: str
    reason: str
    zh = "字段 {field} 不正确：{reason}。"
    en = "The field {field} is wrong: {reason}."


@dataclass(frozen=True)
class TextHoldsPersonalData(Rejection):
    nature: ClassVar[Nature] = "field"
    field: str
    zh = "字段 {field} 含有证件号码、电话或坐标；请删去后重新提交。"
    en = "The field {field} holds a document number, a phone number or a coordinate; remove it."


@dataclass(frozen=True)
class SubjectIsUnknown(Rejection):
    waits: ClassVar[bool] = True
    zh = "本地尚无此志愿者的信息；请稍后再试。"
    en = "This volunteer is not known here yet; try again shortly."


@dataclass(frozen=True)
class CellsAreMissing(Rejection):
    """The table of an adoption is being fetched; what happened after it comes after it."""

    waits: ClassVar[bool] = True
    zh = "转入的分类合计正在读取；请稍后再试。"
    en = "The sums of the adopted dossier are being read; try again shortly."


@dataclass(frozen=True)
class DossierIsFrozen(Rejection):
    zh = "记录正在转移，星级认定暂停；转移结束后可继续。"
    en = "The dossier is being moved and stars are paused; go on when the move has ended."


@dataclass(frozen=True)
class DossierIsElsewhere(Rejection):
    city: str
    zh = "记录已转出至 {city}；请向该城市申请。"
    en = "The dossier lives in {city} now; apply there."


@dataclass(frozen=True)
class SubjectIsNotClaimed(Rejection):
    zh = "该登记由组织代办且尚未认领；请先实名认领。"
    en = "This registration was made by an organisation and is not claimed yet; claim it first."


@dataclass(frozen=True)
class LevelIsNotNext(Rejection):
    next: int
    zh = "星级须依次申请；下一级为 {next} 星。"
    en = "Levels are taken one after another; the next is {next}."


@dataclass(frozen=True)
class LevelIsHeld(Rejection):
    level: int
    zh = "您已持有 {level} 星，无须再次申请。"
    en = "Level {level} is held already; no second application is needed."


@dataclass(frozen=True)
class MinutesAreShort(Rejection):
    missing: int
    zh = "服务时间尚差 {missing} 分钟。"
    en = "{missing} minutes are missing."


@dataclass(frozen=True)
class TenureIsShort(Rejection):
    missing_days: int
    zh = "注册时间尚差 {missing_days} 天。"
    en = "{missing_days} days since first registration are missing."


@dataclass(frozen=True)
class WindowIsClosed(Rejection):
    next: date
    zh = "现在不在申请期内；下一申请期自 {next} 开始。"
    en = "Applications are closed now; they open again on {next}."


@dataclass(frozen=True)
class ApplicationIsOpen(Rejection):
    level: int
    zh = "{level} 星的申请正在办理。"
    en = "An application for level {level} is under way."


@dataclass(frozen=True)
class ByNominationOnly(Rejection):
    zh = "该星级须由组织提名，不能自行申请。"
    en = "This level is given on nomination by an organisation only."


@dataclass(frozen=True)
class BySelectionOnly(Rejection):
    zh = "该星级通过评选产生，不能自行申请。"
    en = "This level is given by selection only."


@dataclass(frozen=True)
class ApplicationIsUnknown(Rejection):
    nature: ClassVar[Nature] = "absent"
    zh = "没有在办的申请。"
    en = "There is no such application."


@dataclass(frozen=True)
class ApplicationIsReviewed(Rejection):
    zh = "该申请已审核。"
    en = "This application has been reviewed already."


@dataclass(frozen=True)
class ApplicationIsNotReviewed(Rejection):
    zh = "该申请尚未审核通过。"
    en = "This application has not passed its review."


@dataclass(frozen=True)
class TierIsHigher(Rejection):
    nature: ClassVar[Nature] = "authority"
    tier: str
    zh = "该星级须由 {tier} 级审核。"
    en = "This level is decided at {tier} level."


@dataclass(frozen=True)
class OwnApplication(Rejection):
    nature: ClassVar[Nature] = "authority"
    zh = "不能审核本人的申请。"
    en = "Nobody reviews an application of their own."


@dataclass(frozen=True)
class PublicityIsRunning(Rejection):
    until: date
    zh = "公示至 {until}，期满后方可认定。"
    en = "The publicity runs until {until}; award after it."


@dataclass(frozen=True)
class ReasonIsMissing(Rejection):
    nature: ClassVar[Nature] = "field"
    zh = "请填写理由。"
    en = "A reason is required."


@dataclass(frozen=True)
class StarIsUnknown(Rejection):
    nature: ClassVar[Nature] = "absent"
    zh = "档案中没有这枚外地星级，或已失效。"
    en = "The dossier has no such standing star of another city."


@dataclass(frozen=True)
class PolicyDoesNotRecognise(Rejection):
    policy_id: str
    zh = "办法 {policy_id} 不承认外地星级。"
    en = "The policy {policy_id} does not recognise stars of other cities."


@dataclass(frozen=True)
class ReviewIsNotOpen(Rejection):
    zh = "该星级没有待复核的事项。"
    en = "No review of this held star is open."


@dataclass(frozen=True)
class PolicyForbidsDemotion(Rejection):
    policy_id: str
    zh = "办法 {policy_id} 不允许降级。"
    en = "The policy {policy_id} does not lower a star."


@dataclass(frozen=True)
class StarEntryIsNotWritten(Rejection):
    """The star to lower was awarded a moment ago; records has not told its entry yet."""

    waits: ClassVar[bool] = True
    zh = "该星级刚刚认定，记录尚未写入；请稍后再试。"
    en = "This star was awarded a moment ago and its entry is being written; try again shortly."
