"""On what grounds may a transfer be refused? The closed list, with the remedy shown.

Nothing outside this list may refuse a transfer. Overlapping hours, disputed or poor evaluations,
other star rules, debts, unpaid formalities, the age of the record and "system error" never are
grounds. Class F is final for this request; T is temporary, the destination tries again by itself;
R can be repaired by someone, then a new request is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

RefusalClass = Literal["F", "T", "R"]
SaidBy = Literal["O", "D", "either"]


@dataclass(frozen=True, slots=True)
class Ground:
    """One code: its class, the side that may say it, what it means and what can be done."""

    code: str
    refusal_class: RefusalClass
    said_by: SaidBy
    meaning: str
    remedy_zh: str
    remedy_en: str

    @property
    def reason_zh(self) -> str:
        """The Chinese half of the meaning."""
        return self.meaning.rpartition(" ")[2]

    @property
    def reason_en(self) -> str:
        """The English half of the meaning."""
        return self.meaning.rpartition(" ")[0]

    def may_be_said_by(self, side: Literal["O", "D"]) -> bool:
        """``either`` codes belong to both sides."""
        return self.said_by in ("either", side)


_GROUNDS: Final = (
    Ground(
        "TR-101",
        "F",
        "O",
        "no dossier here for that subject 本地无此档案",
        "请确认您原来的登记城市后重新申请。",
        "Check which city holds your record and apply again.",
    ),
    Ground(
        "TR-102",
        "R",
        "O",
        "code or identity does not match 转移码或身份不符",
        "请在转出城市重新取得转移码,并核对姓名和证件号码。",
        "Get a new code from your old city and check your name and document number.",
    ),
    Ground(
        "TR-103",
        "R",
        "O",
        "two registrations at the origin not yet linked 存在重复注册",
        "请在转出城市合并重复账号后再申请。",
        "Have your two accounts linked in your old city, then apply again.",
    ),
    Ground(
        "TR-104",
        "F",
        "O",
        "subject replaced by another 档案已合并",
        "请按合并后的档案重新申请。",
        "Apply again for the merged record.",
    ),
    Ground(
        "TR-105",
        "R",
        "O",
        "assisted request declined or objected to 代办未获确认",
        "请本人在转出城市取得转移码,或重新提交代办材料。",
        "Get a code yourself, or submit the assisted request again.",
    ),
    Ground(
        "TR-201",
        "R",
        "O",
        "consent missing, expired, or no guardian 同意书缺失或失效",
        "请重新签署同意书;未满十八岁须监护人同意。",
        "Sign the consent again; under 18 a guardian must consent.",
    ),
    Ground(
        "TR-202",
        "F",
        "O",
        "requester not entitled in the directory 申请节点无资格",
        "请联系转入城市管理单位。",
        "Contact the office of your new city.",
    ),
    Ground(
        "TR-203",
        "F",
        "O",
        "this node is not the home (pointer if entitled) 本地并非现存放地",
        "请向指引的城市重新申请。",
        "Apply to the city named in the notice.",
    ),
    Ground(
        "TR-204",
        "F",
        "either",
        "an inner signature is invalid 签名无效",
        "您无须操作,两地管理单位将核查。",
        "Nothing to do; the two offices will look into it.",
    ),
    Ground(
        "TR-205",
        "T",
        "O",
        "daily quota of the peer used up 当日名额已满",
        "系统将自动重试,无须操作。",
        "We will retry by ourselves.",
    ),
    Ground(
        "TR-301",
        "T",
        "O",
        "another transfer is open 已有转移在办",
        "请先完成或撤回在办的转移。",
        "Finish or withdraw the transfer under way.",
    ),
    Ground(
        "TR-302",
        "F",
        "either",
        "same message id, other content 报文冲突",
        "您无须操作,两地管理单位将核查。",
        "Nothing to do; the two offices will look into it.",
    ),
    Ground(
        "TR-303",
        "F",
        "O",
        "stale epoch 档案轮次已过期",
        "系统将按最新归属重新申请。",
        "We will apply again to the present home.",
    ),
    Ground(
        "TR-304",
        "T",
        "O",
        "moved less than 7 days ago 转入未满七日",
        "请在提示日期后再申请。",
        "Apply after the date shown.",
    ),
    Ground(
        "TR-305",
        "T",
        "O",
        "lawful hold, with authority and end date 依法暂停",
        "暂停期满后可再申请;如有异议可申诉。",
        "Apply after the hold ends, or appeal.",
    ),
    Ground(
        "TR-306",
        "F",
        "O",
        "already released (pointer) 档案已转出",
        "请向现存放城市申请。",
        "Apply to the city that holds your record now.",
    ),
    Ground(
        "TR-307",
        "F",
        "O",
        "dossier closed (death, erasure) 档案已终止",
        "近亲属可向转出城市管理单位咨询。",
        "Relatives may ask the office of the old city.",
    ),
    Ground(
        "TR-308",
        "T",
        "O",
        "not frozen in time (open redemption hold, service down) 未能及时冻结",
        "系统将自动重试;请先完成或取消进行中的兑换。",
        "We will retry; finish or cancel open redemptions.",
    ),
    Ground(
        "TR-401",
        "R",
        "either",
        "protocol, suite or entry format not supported 版本不受支持",
        "您无须操作,待节点升级后重新申请。",
        "Nothing to do; apply again after the upgrade.",
    ),
    Ground(
        "TR-402",
        "F",
        "either",
        "count differs 条数不符",
        "您无须操作,将由转出城市复核后重发。",
        "Nothing to do; the old city will check and offer again.",
    ),
    Ground(
        "TR-403",
        "F",
        "either",
        "root differs 摘要根不符",
        "您无须操作,将由转出城市复核后重发。",
        "Nothing to do; the old city will check and offer again.",
    ),
    Ground(
        "TR-404",
        "F",
        "D",
        "an entry's signature, key, issuer or subject is invalid 条目签名无效",
        "将由记录城市核实该条目。",
        "The recording city will check that entry.",
    ),
    Ground(
        "TR-405",
        "F",
        "D",
        "custody chain broken 归属链断裂",
        "将由两地管理单位核查。",
        "The two offices will look into it.",
    ),
    Ground(
        "TR-406",
        "F",
        "D",
        "omission or equivocation proved by receipts, heads or certificates 遗漏或矛盾",
        "请保留您的回执,将由联盟核查。",
        "Keep your receipts; the federation will investigate.",
    ),
    Ground(
        "TR-407",
        "T",
        "D",
        "bundle missing or corrupt after 5 tries 数据包损坏",
        "系统将自动重试。",
        "We will retry by ourselves.",
    ),
    Ground(
        "TR-408",
        "R",
        "either",
        "larger than the declared limits 超出容量",
        "转入城市调整容量后重新申请。",
        "Apply again once the new city has raised its limit.",
    ),
    Ground(
        "TR-409",
        "F",
        "either",
        "minutes differ from the head's totals 分钟合计不符",
        "将由转出城市复核后重发。",
        "The old city will check and offer again.",
    ),
    Ground(
        "TR-410",
        "R",
        "D",
        "minutes out of range 时长单位不合规",
        "将由记录城市更正后重发;不作取整。",
        "The recording city will correct it; nothing is rounded.",
    ),
    Ground(
        "TR-411",
        "F",
        "D",
        "same entry and version with two contents 同号异文",
        "将由记录城市核实。",
        "The recording city will check it.",
    ),
    Ground(
        "TR-412",
        "F",
        "D",
        "star, consumption or adjustment by a city that was never home 越权条目",
        "将由转出城市核实。",
        "The old city will check it.",
    ),
    Ground(
        "TR-413",
        "F",
        "either",
        "state digest differs 状态摘要不符",
        "将由两地复核后重发。",
        "The offices will check and offer again.",
    ),
    Ground(
        "TR-501",
        "F",
        "either",
        "the volunteer withdrew 本人撤回",
        "如需转移可随时重新申请。",
        "You may apply again at any time.",
    ),
    Ground(
        "TR-502",
        "T",
        "either",
        "a deadline before the release passed 超时",
        "系统将自动重试;记录未受影响。",
        "We will retry; your record is untouched.",
    ),
    Ground(
        "TR-503",
        "T",
        "O",
        "destination not reachable 转入节点不可达",
        "系统将自动重试。",
        "We will retry by ourselves.",
    ),
    Ground(
        "TR-504",
        "T",
        "D",
        "origin not reachable 转出节点不可达",
        "系统将自动重试;三日后通知您。",
        "We will retry and tell you after three days.",
    ),
    Ground(
        "TR-505",
        "T",
        "O",
        "the origin cannot read an entry 条目无法读取",
        "将由转出城市修复后重试。",
        "The old city will repair it and retry.",
    ),
    Ground(
        "TR-506",
        "T",
        "D",
        "the destination cannot stage 无法暂存",
        "系统将自动重试。",
        "We will retry by ourselves.",
    ),
)

GROUNDS: Final[Mapping[str, Ground]] = {ground.code: ground for ground in _GROUNDS}
