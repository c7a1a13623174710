"""In how many ways may a standing say no? One type each; what waits says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from shared.messages import Nature, Rejection, Terms


@dataclass(frozen=True)
class ActorMayNot(Rejection):
    nature: ClassVar[Nature] = "authority"
    zh = "您的角色、单位或地区无权办理此事。请由有权限的人员办理。"
    en = "Your role, organisation or region may not do this. Ask someone who may."


@dataclass(frozen=True)
class FieldIsWrong(Rejection):
    nature: ClassVar[Nature] = "field"
    field: str
    reason: str
    zh = "字段 {field} 不正确：{reason}。请改正后重新提交。"
    en = "The field {field} is wrong: {reason}. Correct it and send again."
    terms: ClassVar[Terms] = {
        "reason": {
            "missing": "未填写",
            "not_below_held": "不低于现有星级",
            "not_in_force": "该办法不在有效期内",
            "not_in_policy": "办法中没有这一星级",
            "too_long": "过长",
        }
    }


@dataclass(frozen=True)
class TextHoldsPersonalData(Rejection):
    nature: ClassVar[Nature] = "field"
    field: str
    zh = "字段 {field} 含有证件号码、电话或坐标。请删去后重新提交。"
    en = (
        "The field {field} holds a document number, a phone number or a coordinate. Remove it and "
        "send again."
    )


@dataclass(frozen=True)
class SubjectIsUnknown(Rejection):
    waits: ClassVar[bool] = True
    zh = "本地尚无此志愿者的信息。请稍后再试。"
    en = "This volunteer is not known here yet. Try again shortly."


@dataclass(frozen=True)
class CellsAreMissing(Rejection):
    """The table of an adoption is being fetched; what happened after it comes after it."""

    waits: ClassVar[bool] = True
    zh = "转入的分类合计正在读取。请稍后再试。"
    en = "The sums of the adopted dossier are being read. Try again shortly."


@dataclass(frozen=True)
class DossierIsFrozen(Rejection):
    zh = "记录正在转移，星级认定暂停。请在转移结束后继续。"
    en = "The dossier is being moved and stars are paused. Go on when the move has ended."


@dataclass(frozen=True)
class DossierIsElsewhere(Rejection):
    city: str
    zh = "记录已转出至 {city}。请向该城市申请。"
    en = "The dossier lives in {city} now. Apply there."


@dataclass(frozen=True)
class SubjectIsNotClaimed(Rejection):
    zh = "该登记由组织代办且尚未认领。请先实名认领。"
    en = "This registration was made by an organisation and is not claimed yet. Claim it first."


@dataclass(frozen=True)
class LevelIsNotNext(Rejection):
    next: int
    zh = "星级须依次申请。请申请下一级（{next} 星）。"
    en = "Levels are taken one after another. Apply for the next one ({next})."


@dataclass(frozen=True)
class LevelIsHeld(Rejection):
    level: int
    zh = "您已持有 {level} 星。无须再次申请，可申请更高一级。"
    en = (
        "Level {level} is held already. There is no need to apply again, a higher level may be "
        "applied for."
    )


@dataclass(frozen=True)
class MinutesAreShort(Rejection):
    missing: int
    zh = "服务时间尚差 {missing} 分钟。请在补足后再申请。"
    en = "{missing} minutes are missing. Apply when they have been served."


@dataclass(frozen=True)
class TenureIsShort(Rejection):
    missing_days: int
    zh = "注册时间尚差 {missing_days} 天。请在届满后再申请。"
    en = "{missing_days} days since first registration are missing. Apply after them."


@dataclass(frozen=True)
class WindowIsClosed(Rejection):
    next: date
    zh = "现在不在申请期内。请自 {next} 起的下一申请期申请。"
    en = "Applications are closed now. Apply from {next} on."


@dataclass(frozen=True)
class ApplicationIsOpen(Rejection):
    level: int
    zh = "{level} 星的申请正在办理。请等待其结果，无须重复申请。"
    en = "An application for level {level} is under way. Wait for its result."


@dataclass(frozen=True)
class ByNominationOnly(Rejection):
    zh = "该星级须由组织提名，不能自行申请。请向您所在的组织提出。"
    en = "This level is given on nomination by an organisation only. Ask your organisation."


@dataclass(frozen=True)
class BySelectionOnly(Rejection):
    zh = "该星级通过评选产生，不能自行申请。请留意评选活动的通知。"
    en = "This level is given by selection only. Look out for the notice of the next selection."


@dataclass(frozen=True)
class ApplicationIsUnknown(Rejection):
    nature: ClassVar[Nature] = "absent"
    zh = "没有在办的申请。请核对志愿者和办法，或由本人先提出申请。"
    en = (
        "There is no application under way. Check volunteer and policy, or let the volunteer apply "
        "first."
    )


@dataclass(frozen=True)
class ApplicationIsReviewed(Rejection):
    zh = "该申请已审核，不能再次审核。请办理认定或不予认定。"
    en = "This application has been reviewed already. Award the star or refuse it."


@dataclass(frozen=True)
class ApplicationIsNotReviewed(Rejection):
    zh = "该申请尚未审核通过。请先办理审核。"
    en = "This application has not passed its review. Review it first."


@dataclass(frozen=True)
class TierIsHigher(Rejection):
    nature: ClassVar[Nature] = "authority"
    tier: str
    zh = "该星级须由{tier}主管部门办理。请转交该级。"
    en = "This level is decided by the authority of the {tier}. Pass it on to that authority."
    terms: ClassVar[Terms] = {"tier": {"county": "区县级", "city": "市级", "province": "省级"}}


@dataclass(frozen=True)
class OwnApplication(Rejection):
    nature: ClassVar[Nature] = "authority"
    zh = "不能审核本人的申请。请由其他审核人办理。"
    en = "Nobody reviews an application of their own. Ask another reviewer."


@dataclass(frozen=True)
class PublicityIsRunning(Rejection):
    until: date
    zh = "公示尚未结束（至 {until}）。请在期满后认定。"
    en = "The publicity has not ended yet (until {until}). Award the star after it."


@dataclass(frozen=True)
class ReasonIsMissing(Rejection):
    nature: ClassVar[Nature] = "field"
    zh = "缺少理由。请填写后重新提交。"
    en = "A reason is missing. Give one and send again."


@dataclass(frozen=True)
class StarIsUnknown(Rejection):
    nature: ClassVar[Nature] = "absent"
    zh = "档案中没有这枚外地星级，或已失效。请核对其编号和颁发城市。"
    en = "The dossier has no such standing star of another city. Check its id and its city."


@dataclass(frozen=True)
class PolicyDoesNotRecognise(Rejection):
    policy_id: str
    zh = "办法 {policy_id} 不承认外地星级。请按本地办法申请星级。"
    en = (
        "The policy {policy_id} does not recognise stars of other cities. Apply for a star under "
        "the rules here."
    )


@dataclass(frozen=True)
class ReviewIsNotOpen(Rejection):
    zh = "该星级没有待复核的事项。无须办理，请核对志愿者和办法。"
    en = (
        "No review of this held star is open. There is nothing to decide, check volunteer and "
        "policy."
    )


@dataclass(frozen=True)
class PolicyForbidsDemotion(Rejection):
    policy_id: str
    zh = "办法 {policy_id} 不允许降级。请保留该星级。"
    en = "The policy {policy_id} does not lower a star. Keep the star."


@dataclass(frozen=True)
class StarEntryIsNotWritten(Rejection):
    """The star to lower was awarded a moment ago; records has not told its entry yet."""

    waits: ClassVar[bool] = True
    zh = "该星级刚刚认定，记录尚未写入。请稍后再试。"
    en = "This star was awarded a moment ago and its entry is being written. Try again shortly."
