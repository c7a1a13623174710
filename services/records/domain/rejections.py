"""In how many ways does records say no? Each names its reason and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.records.domain.terms import (
    CATEGORIES,
    FIELD_REASONS,
    POLICY_KINDS,
    PROVENANCE,
    SANCTIONS,
    STATES,
    TIERS,
)
from shared.messages import Nature, Rejection, Terms


@dataclass(frozen=True)
class ActorMayNot(Rejection):
    """Role, organisation or region does not reach that far."""

    nature: ClassVar[Nature] = "authority"
    zh: ClassVar[str] = "您的身份不允许此操作。请由该单位的记录人、审核人或主管部门办理。"
    en: ClassVar[str] = (
        "Your role, organisation or region does not allow this. Ask the recorder, its approver or "
        "the authority."
    )


@dataclass(frozen=True)
class FieldIsWrong(Rejection):
    """A field breaks its rule; ``reason`` is a code, never the value."""

    field: str
    reason: str
    nature: ClassVar[Nature] = "field"
    zh: ClassVar[str] = "字段 {field} 不合要求：{reason}。请更正后重新提交。"
    en: ClassVar[str] = "The field {field} is wrong: {reason}. Correct it and send again."
    terms: ClassVar[Terms] = FIELD_REASONS


@dataclass(frozen=True)
class TextHoldsPersonalData(Rejection):
    field: str
    nature: ClassVar[Nature] = "field"
    zh: ClassVar[str] = "字段 {field} 含有证件号码、电话或坐标。请删去后重新提交。"
    en: ClassVar[str] = (
        "The field {field} holds an identity number, a phone or a coordinate. Remove it and send "
        "again."
    )


@dataclass(frozen=True)
class SubjectIsUnknown(Rejection):
    waits: ClassVar[bool] = True
    zh: ClassVar[str] = "本系统尚未收到该志愿者的登记。请稍后重试。"
    en: ClassVar[str] = "This volunteer's registration has not arrived here yet. Try again later."


@dataclass(frozen=True)
class OrganisationIsUnknown(Rejection):
    organisation_id: str
    waits: ClassVar[bool] = True
    zh: ClassVar[str] = "本系统尚未收到该单位的登记。请稍后重试。"
    en: ClassVar[str] = (
        "This organisation's registration has not arrived here yet. Try again later."
    )


@dataclass(frozen=True)
class PolicyIsMissing(Rejection):
    kind: str
    waits: ClassVar[bool] = True
    zh: ClassVar[str] = "尚无适用于该日期的{kind}政策。请稍后重试，或请主管部门发布。"
    en: ClassVar[str] = (
        "No policy of kind {kind} is known here for that day yet. Try again later, or ask the "
        "authority to publish one."
    )
    terms: ClassVar[Terms] = POLICY_KINDS


@dataclass(frozen=True)
class SupplementIsEarly(Rejection):
    """The supplement before it in its channel has not been applied yet."""

    expected: int
    waits: ClassVar[bool] = True
    zh: ClassVar[str] = "前一份补充记录尚未处理。请稍后重试。"
    en: ClassVar[str] = "The supplement before this one has not been applied yet. Try again later."


@dataclass(frozen=True)
class TooManyAreHeld(Rejection):
    """A frozen dossier holds as many changes as one transaction can join (20,000)."""

    waits: ClassVar[bool] = True
    zh: ClassVar[str] = "转移期间暂存的记录已达上限。请在转移结束后重试。"
    en: ClassVar[str] = "Too many changes wait for the end of the move. Try again after it."


@dataclass(frozen=True)
class NotVolunteerService(Rejection):
    """Order 67 Art 19: ``why`` is the category that says so."""

    why: str
    zh: ClassVar[str] = (
        "该活动不属于志愿服务（{why}），不予记录。请勿提交；如类别填写有误，请更正后重新提交。"
    )
    en: ClassVar[str] = (
        "This is not volunteer service ({why}) and makes no entry. Leave it out, or correct the "
        "category."
    )
    terms: ClassVar[Terms] = CATEGORIES


@dataclass(frozen=True)
class RecorderMayNotAct(Rejection):
    """The recording organisation is stopped; ``status`` says by what."""

    status: str
    zh: ClassVar[str] = "该记录单位目前不得记录（{status}）。请待其恢复后再记录，或由主管部门办理。"
    en: ClassVar[str] = (
        "This organisation may not record at present ({status}). Record when that has ended, or "
        "ask the authority."
    )
    terms: ClassVar[Terms] = SANCTIONS


@dataclass(frozen=True)
class MinutesAreNotPositive(Rejection):
    zh: ClassVar[str] = "服务时间必须大于零。请核对起止时间和休息时间。"
    en: ClassVar[str] = "The minutes must be more than zero. Check times and breaks."


@dataclass(frozen=True)
class MinutesAreTooMany(Rejection):
    most: int
    zh: ClassVar[str] = "一条记录最多 {most} 分钟。请分条记录。"
    en: ClassVar[str] = "One entry holds at most {most} minutes. Record it in parts."


@dataclass(frozen=True)
class MinutesDisagree(Rejection):
    """Times less breaks give another figure than the one said."""

    expected: int
    zh: ClassVar[str] = "起止时间减去休息为 {expected} 分钟，与填写的分钟数不符。请核对后改正其一。"
    en: ClassVar[str] = (
        "Times less breaks give {expected} minutes, not the figure given. Check both and correct "
        "one."
    )


@dataclass(frozen=True)
class ServiceIsInTheFuture(Rejection):
    zh: ClassVar[str] = "服务尚未结束，不能记录。请在活动结束后记录。"
    en: ClassVar[str] = "The service has not ended yet. Record it afterwards."


@dataclass(frozen=True)
class SameFactExists(Rejection):
    """The same fact stands with other content; inside one sheet ``row_no`` is the row before."""

    entry_id: str
    row_no: int | None = None
    zh: ClassVar[str] = "同一事实已有记录 {entry_id}。如有差错请更正该条记录。"
    en: ClassVar[str] = "The same fact is recorded already ({entry_id}). Correct that entry."


@dataclass(frozen=True)
class EvidenceIsMissing(Rejection):
    zh: ClassVar[str] = "缺少证明材料编号。请补充后重新提交。"
    en: ClassVar[str] = "The reference to the evidence is missing. Add it and send again."


@dataclass(frozen=True)
class DecisionIsMissing(Rejection):
    zh: ClassVar[str] = "缺少决定文号。请补充后重新提交。"
    en: ClassVar[str] = "The number of the decision is missing. Add it and send again."


@dataclass(frozen=True)
class DossierExists(Rejection):
    zh: ClassVar[str] = "该志愿者的档案已经存在。无须再建，请使用现有档案。"
    en: ClassVar[str] = (
        "This volunteer's dossier exists already. There is no need of another, use that one."
    )


@dataclass(frozen=True)
class DossierIsElsewhere(Rejection):
    city: str
    zh: ClassVar[str] = "该档案现归属 {city}。请向该城市申请。"
    en: ClassVar[str] = "This dossier is at home in {city} now. Ask there."


@dataclass(frozen=True)
class EpochIsStale(Rejection):
    current: int
    zh: ClassVar[str] = "接续代次已过期，现为 {current}。请按现代次重新提交。"
    en: ClassVar[str] = (
        "That custody epoch has passed, it is {current} now. Send it again under that one."
    )


@dataclass(frozen=True)
class EntryIsUnknown(Rejection):
    """No such entry, or none that this actor may know of: both sound the same."""

    nature: ClassVar[Nature] = "absent"
    zh: ClassVar[str] = "没有这条记录，或您无权查看。请核对记录编号。"
    en: ClassVar[str] = "There is no such entry, or you may not see it. Check its id."


@dataclass(frozen=True)
class OwnEntry(Rejection):
    zh: ClassVar[str] = "不能审核本人的服务记录。请由其他审核人办理。"
    en: ClassVar[str] = "Nobody approves their own hours. Ask another approver."


@dataclass(frozen=True)
class RecordedByYou(Rejection):
    zh: ClassVar[str] = "记录人不能审核自己录入的记录。请由其他审核人办理。"
    en: ClassVar[str] = "You recorded this entry and may not approve it. Ask another approver."


@dataclass(frozen=True)
class TierIsHigher(Rejection):
    """The day is longer than this body may approve alone (R4)."""

    tier: str
    zh: ClassVar[str] = "当日服务时间较长，须由{tier}审核。请转交其办理。"
    en: ClassVar[str] = "The day is long, so that the {tier} must approve it. Pass it on."
    terms: ClassVar[Terms] = TIERS


@dataclass(frozen=True)
class PublicityIsRunning(Rejection):
    zh: ClassVar[str] = "公示尚未结束。请在公示期满后审核。"
    en: ClassVar[str] = "Its publicity has not ended yet. Approve it afterwards."


@dataclass(frozen=True)
class EntryIsNotPending(Rejection):
    state: str
    zh: ClassVar[str] = (
        "该记录不在待审核状态（现为：{state}）。请查看其现状，如有差错可更正或撤销。"
    )
    en: ClassVar[str] = (
        "This entry does not wait for approval (it is {state}). Look at it again, correct or "
        "revoke what is wrong."
    )
    terms: ClassVar[Terms] = STATES


@dataclass(frozen=True)
class EntryIsNotApproved(Rejection):
    state: str
    zh: ClassVar[str] = "该记录尚未审核通过（现为：{state}），不能撤销。可以不予通过。"
    en: ClassVar[str] = "This entry is {state}, not approved. Reject it instead of revoking."
    terms: ClassVar[Terms] = STATES


@dataclass(frozen=True)
class EntryIsFinal(Rejection):
    state: str
    zh: ClassVar[str] = "该记录{state}，不能再改。请新建记录并注明原记录。"
    en: ClassVar[str] = "This entry is {state} for good. Record anew and cite it."
    terms: ClassVar[Terms] = STATES


@dataclass(frozen=True)
class VersionIsStale(Rejection):
    current: int
    zh: ClassVar[str] = "该记录已更新到第 {current} 版。请查看后重新提交。"
    en: ClassVar[str] = "The entry stands at version {current} by now. Look again, then send."


@dataclass(frozen=True)
class ProvenanceIsFixed(Rejection):
    """Recorder, issuer and subject of an entry never change."""

    field: str
    zh: ClassVar[str] = "记录的{field}不能更改。如有差错，请撤销该记录后重新记录。"
    en: ClassVar[str] = (
        "The {field} of an entry never changes. If it is wrong, revoke the entry and record anew."
    )
    terms: ClassVar[Terms] = PROVENANCE


@dataclass(frozen=True)
class NotYourEntry(Rejection):
    """Another city or organisation recorded it; it alone corrects it (R32)."""

    issuer: str
    zh: ClassVar[str] = "该记录由 {issuer} 记录，只能由其更改。请向其提出。"
    en: ClassVar[str] = "This entry was recorded by {issuer}, which alone may change it. Ask there."


@dataclass(frozen=True)
class DisputeIsOpen(Rejection):
    zh: ClassVar[str] = "该记录正在异议处理中。请待处理结束后再办理。"
    en: ClassVar[str] = "A dispute about this entry is open. Wait for its decision."


@dataclass(frozen=True)
class ReasonIsMissing(Rejection):
    zh: ClassVar[str] = "缺少理由。请填写后重新提交。"
    en: ClassVar[str] = "The reason is missing. Give one and send again."


@dataclass(frozen=True)
class FencedByAnother(Rejection):
    """A release of one move meets the fence of another: never in a right history; an alarm."""

    transfer_id: str
    zh: ClassVar[str] = (
        "档案由另一次转移冻结（{transfer_id}）。请待该次转移结束；如长时间未结束，请联系管理单位。"
    )
    en: ClassVar[str] = (
        "The dossier is frozen by another move ({transfer_id}). Wait for its end, or ask the "
        "office if it does not end."
    )
