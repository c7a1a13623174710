"""How does the registry say no? One type per way; none holds a personal value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from services.registry.domain.terms import (
    CONTENT_REASONS,
    DOCUMENT_REASONS,
    FIELD_REASONS,
    USCC_REASONS,
)
from shared.messages import Nature, Rejection, Terms


@dataclass(frozen=True)
class ActorMayNot(Rejection):
    nature: ClassVar[Nature] = "authority"
    zh = "您的身份无权进行此操作。请由有权办理的人员办理，或以相应身份登录后重试。"
    en = (
        "Your role, organisation or region does not allow this. Ask someone who may, or sign in as "
        "such."
    )


@dataclass(frozen=True)
class FieldIsWrong(Rejection):
    field: str
    reason: str
    nature: ClassVar[Nature] = "field"
    zh = "字段 {field} 有误：{reason}。请改正后重试。"
    en = "The field {field} is wrong: {reason}. Correct it and try again."
    terms: ClassVar[Terms] = FIELD_REASONS


@dataclass(frozen=True)
class TextHoldsPersonalData(Rejection):
    field: str
    nature: ClassVar[Nature] = "field"
    zh = "字段 {field} 含有证件号码、手机号或坐标。请删去后重新提交。"
    en = (
        "The field {field} holds an id number, a phone number or a coordinate. Remove it and send "
        "again."
    )


@dataclass(frozen=True)
class DocumentNumberIsInvalid(Rejection):
    field: str
    reason: str
    nature: ClassVar[Nature] = "field"
    zh = "证件号码有误：{reason}。请核对证件后重新填写。"
    en = "The document number is not valid: {reason}. Check the document and enter it again."
    terms: ClassVar[Terms] = DOCUMENT_REASONS


@dataclass(frozen=True)
class ConsentIsMissing(Rejection):
    purpose: str
    zh = "缺少本人同意。请先阅读并同意相应文本。"
    en = "The person's consent is missing. Let the person read the text and agree first."


@dataclass(frozen=True)
class ConsentTextIsStale(Rejection):
    """``text_id`` and ``version``: what holds today; None where no text is published."""

    text_id: str | None
    version: int | None
    zh = "同意所依据的文本不是现行版本。请阅读现行版本后重新同意。"
    en = "The consent rests on a text that is not in force. Read the one in force and agree again."


@dataclass(frozen=True)
class GuardianConsentIsMissing(Rejection):
    zh = "未成年人须由监护人同意，现缺少该同意。请由监护人填写同意后重新提交。"
    en = (
        "A guardian must consent for a minor, and has not. Let the guardian consent and send again."
    )


@dataclass(frozen=True)
class AgeIsBelowMinimum(Rejection):
    min_age_years: int
    zh = "未达到本地规定的最低年龄（{min_age_years} 岁）。请在达到该年龄后再登记。"
    en = (
        "The person is younger than the rules here allow ({min_age_years} years). Register at that "
        "age."
    )


@dataclass(frozen=True)
class AlreadyRegisteredHere(Rejection):
    """``claim_ref``: with it the person may claim the registration, for one hour."""

    claim_ref: str | None = None
    zh = "该证件已在本地登记。如系他人代为登记，请凭认领编号认领或恢复。"
    en = "This document is already registered here. Claim or reconnect with the claim reference."


@dataclass(frozen=True)
class AlreadyRegisteredElsewhere(Rejection):
    city: str
    zh = "该志愿者的档案在城市 {city}。可申请转移接续，或作为异地志愿者在此服务。"
    en = "Her dossier is in city {city}. Apply for a transfer, or serve here as a visitor."


@dataclass(frozen=True)
class TransferIsOpen(Rejection):
    """``applicant_ref`` is shown to the login that made that application alone."""

    applicant_ref: str | None = None
    zh = "此人已有转移申请在办。请先完成或撤回。"
    en = "An application of this person is under way. Finish or withdraw it first."


@dataclass(frozen=True)
class LoginIsBound(Rejection):
    zh = "此登录账号已绑定一名志愿者，不能再次登记。请直接使用该登记，或换用本人的其他账号。"
    en = (
        "This login already belongs to a registered volunteer. Use that registration, or another "
        "login."
    )


@dataclass(frozen=True)
class ClaimHasExpired(Rejection):
    zh = "认领编号已失效（有效期一小时）。请重新提交登记以取得新的编号。"
    en = "The claim reference has expired (one hour). Register again to get another."


@dataclass(frozen=True)
class IdentityDoesNotMatch(Rejection):
    zh = "姓名或证件与登记不符。请核对后重试。"
    en = "Name or document do not match the registration. Check them and try again."


@dataclass(frozen=True)
class IdentityIsNotVerified(Rejection):
    zh = "身份尚未核验。请待联网核验成功，或到窗口出示证件。"
    en = "The identity is not verified yet. Wait for the online check, or show the document."


@dataclass(frozen=True)
class AlreadyClaimed(Rejection):
    zh = "该登记已由本人认领。请用认领时的账号登录；如非您本人认领，请到窗口出示证件核查。"
    en = (
        "This registration has been claimed already. Sign in with the login that claimed it; if "
        "that was not you, show your document at the counter."
    )


@dataclass(frozen=True)
class TooManyAttempts(Rejection):
    limit_an_hour: int
    zh = "认领失败次数过多（每小时至多 {limit_an_hour} 次）。请一小时后再试。"
    en = "Too many failed attempts ({limit_an_hour} an hour at most). Try again in an hour."


@dataclass(frozen=True)
class VerificationIsOlder(Rejection):
    zh = "已有更新的核验结果，此次结果不再采用。如须变更，请重新核验后提交。"
    en = "A later verification is on record, so this one is not taken. To change it verify anew."


@dataclass(frozen=True)
class SubjectIsUnknown(Rejection):
    waits: ClassVar[bool] = True
    zh = "尚未收到该志愿者的登记。请稍后重试。"
    en = "This volunteer is not known here yet. Try again shortly."


@dataclass(frozen=True)
class NotFound(Rejection):
    """What does not exist, and what the caller may not know of: one answer for both."""

    nature: ClassVar[Nature] = "absent"
    zh = "没有这一资源，或您无权查看。请核对编号，或以有权查看的身份登录。"
    en = (
        "There is no such resource, or you may not see it. Check its id, or sign in as someone who "
        "may."
    )


@dataclass(frozen=True)
class TooManyConsents(Rejection):
    limit: int
    zh = "有效同意已达上限（{limit} 项）。请先撤回不再需要的同意。"
    en = "There are too many consents in force ({limit}). Withdraw those no longer needed."


@dataclass(frozen=True)
class SubjectIsNotClaimed(Rejection):
    zh = "该登记由他人代办，尚未由本人认领。请先认领。"
    en = "The registration was made by someone else and is not claimed yet. Claim it first."


@dataclass(frozen=True)
class TooManyCodes(Rejection):
    limit_a_day: int
    zh = "今天领取的转移码已达上限（{limit_a_day} 个）。请明天再试。"
    en = "You have taken too many codes today ({limit_a_day}). Try again tomorrow."


@dataclass(frozen=True)
class CodeHasChanged(Rejection):
    """Another request of hers took a code in the same moment: the edge reads and asks again."""

    zh = "您的转移码刚刚有变动。请重试。"
    en = "Your transfer code has just changed. Try again."


@dataclass(frozen=True)
class UsccIsInvalid(Rejection):
    field: str
    reason: str
    nature: ClassVar[Nature] = "field"
    zh = "统一社会信用代码有误：{reason}。请核对登记证书。"
    en = "The unified social credit code is not valid: {reason}. Check the certificate."
    terms: ClassVar[Terms] = USCC_REASONS


@dataclass(frozen=True)
class UsccIsTaken(Rejection):
    organisation_id: str
    zh = "该统一社会信用代码已有组织登记。请使用已有登记；如代码有误，请核对后重新提交。"
    en = "An organisation with this code is registered already. Use that one, or correct the code."


@dataclass(frozen=True)
class FilingIsTaken(Rejection):
    organisation_id: str
    zh = "该备案号已有组织使用。请使用已有备案；如备案号有误，请核对后重新提交。"
    en = (
        "An organisation with this filing exists already. Use that one, or correct the filing "
        "number."
    )


@dataclass(frozen=True)
class KindNeedsSupervisor(Rejection):
    kind: str
    zh = "此类组织须有业务主管单位，或属于直接登记的类别。请补充其中一项后重新提交。"
    en = (
        "This kind of body needs a supervising body, or a category of direct registration. Give "
        "one of them and send again."
    )


@dataclass(frozen=True)
class OrganisationIsUnknown(Rejection):
    waits: ClassVar[bool] = True
    zh = "尚未收到该组织的登记或备案。请稍后重试。"
    en = "This organisation is not known here yet. Try again shortly."


@dataclass(frozen=True)
class OrganisationMayNotAct(Rejection):
    zh = "该组织已被责令停止活动，不得办理新的登记。请待处罚期满，或由其他组织办理。"
    en = (
        "This organisation has been stopped by a decision and may register nobody. Wait until that "
        "ends, or ask another organisation."
    )


@dataclass(frozen=True)
class DecisionIsMissing(Rejection):
    zh = "缺少处罚决定文号。请补充后重新提交。"
    en = "The number of the decision is missing. Add it and send again."


@dataclass(frozen=True)
class VersionIsNotNext(Rejection):
    next_version: int
    zh = "版本号不连续，应为 {next_version}。请改正后重新提交。"
    en = "The version does not follow the last one. Send it as version {next_version}."


@dataclass(frozen=True)
class EffectiveDateIsPast(Rejection):
    earliest: date
    zh = "生效日期过早，不得早于 {earliest}，更正版本自发布当日起生效。请改正日期后重新提交。"
    en = (
        "The effective date is too early, a correction takes effect on its day alone. Take "
        "{earliest} or later."
    )


@dataclass(frozen=True)
class ContentIsInvalid(Rejection):
    path: str
    reason: str
    nature: ClassVar[Nature] = "field"
    zh = "政策内容有误：{reason}。请按所指位置改正后重新提交。"
    en = (
        "The content of the policy is not valid: {reason}. Correct it at the path given and send "
        "again."
    )
    terms: ClassVar[Terms] = CONTENT_REASONS


@dataclass(frozen=True)
class SecondPersonIsMissing(Rejection):
    zh = "发布政策须由另一人确认，提议人不能自行确认。请由另一位有权人员确认。"
    en = (
        "A policy is published when a second person has confirmed it. Ask another officer to "
        "confirm."
    )


@dataclass(frozen=True)
class ProposalHasLapsed(Rejection):
    zh = "提议已过七日未确认，或已被新的提议取代。请重新提议。"
    en = "The proposal lapsed after seven days, or another took its place. Propose it again."
