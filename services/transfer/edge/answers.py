"""With which problem is another city's input answered? The closed list of docs/protocol.md, 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from shared.problems import Problem

URN: Final = "urn:jiexu:problem:"


@dataclass(frozen=True, slots=True)
class Answer:
    """One problem: its check, status, and whether the sender tries the same bytes again.

    ``zh`` and ``en`` say the reason, then the remedy, to the office that looks into it.
    """

    check: int
    name: str
    status: int
    zh: str
    en: str
    again: bool = False


_ANSWERS: Final = (
    Answer(
        1,
        "too-many-requests",
        429,
        "请求过于频繁。请按 Retry-After 所示稍后重发。",
        "Too many requests. Send it again after Retry-After.",
        again=True,
    ),
    Answer(
        2,
        "unavailable",
        503,
        "服务暂时不可用。请按 Retry-After 所示稍后重发。",
        "Not available now. Send it again after Retry-After.",
        again=True,
    ),
    Answer(
        3,
        "too-large",
        413,
        "请求内容超过本地上限。请缩减后发送新的报文。",
        "Larger than allowed here. Send a smaller message.",
    ),
    Answer(
        4,
        "unsupported-media",
        415,
        "内容类型不是 application/json，或内容经过压缩。请以未压缩的 application/json 发送。",
        "Not application/json, or encoded. Send application/json without a content encoding.",
    ),
    Answer(
        5,
        "too-deep",
        400,
        "嵌套超过 16 层。请减少层数。",
        "Nested deeper than 16. Send it flatter.",
    ),
    Answer(
        6,
        "not-json",
        400,
        "不是 UTF-8 或 JSON，或成员重复。请按协议重新生成报文。",
        "Not UTF-8, not JSON, or a member twice. Make the message anew by the protocol.",
    ),
    Answer(
        7,
        "not-canonical",
        400,
        "不是规范化的字节。请以规范化形式发送。",
        "Not the canonical bytes. Send the canonical form.",
    ),
    Answer(
        8,
        "invalid-field",
        422,
        "报文成员有误。请按协议改正该成员。",
        "A member is wrong. Correct it by the protocol.",
    ),
    Answer(
        9,
        "unsupported-version",
        422,
        "协议版本未知。请使用本节点支持的版本。",
        "Unknown protocol version. Use one that this node supports.",
    ),
    Answer(
        10,
        "wrong-audience",
        403,
        "报文的接收城市不是本节点。请发往其所写的城市。",
        "Addressed to another city. Send it to the city that it names.",
    ),
    Answer(
        11,
        "unknown-key",
        403,
        "密钥未列入名录、已失效或用途不符。请使用名录所列的有效密钥。",
        "Key not listed, not valid, or not for this. Use one that the directory lists.",
    ),
    Answer(
        12,
        "peer-suspended",
        403,
        "发送节点已被暂停或退出。请联系名录管理单位。",
        "Sender suspended or retired. Ask the office that keeps the directory.",
    ),
    Answer(
        13,
        "bad-signature",
        403,
        "签名无效。请核对密钥和签名的字节。",
        "Signature does not hold. Check the key and the bytes that were signed.",
    ),
    Answer(
        14,
        "stale-incarnation",
        409,
        "节点的启动代次低于界限。请按恢复程序核对后重新发送。",
        "Incarnation below the barrier. Finish the recovery and send under the present one.",
    ),
    Answer(
        15,
        "unknown-type",
        422,
        "此端点不接受该类报文。请按协议发往相应端点。",
        "Type unknown at this endpoint. Send it to the endpoint that the protocol names.",
    ),
    Answer(
        16,
        "invalid-field",
        422,
        "报文成员有误。请按协议改正该成员。",
        "A member is wrong. Correct it by the protocol.",
    ),
    Answer(
        18,
        "conflict",
        409,
        "报文编号相同而内容不同。请勿再发，两地管理单位将核查。",
        "Same message id, other content. Do not send it again, the two offices will look into it.",
    ),
    Answer(
        19,
        "clock-skew",
        403,
        "签发时间在将来。请校准时钟后重发。",
        "Issued in the future. Set the clock and send it again.",
        again=True,
    ),
    Answer(
        20,
        "expired",
        410,
        "报文已过期。请签发新的报文。",
        "Expired. Issue a new message.",
    ),
    Answer(
        21,
        "unknown-transfer",
        404,
        "没有这一转移。请核对转移编号和对方城市。",
        "No such transfer. Check its id and its other city.",
    ),
    Answer(
        22,
        "not-found",
        404,
        "没有这一资源。请核对地址。",
        "Not found. Check the address.",
    ),
    Answer(
        23,
        "directory-stale",
        503,
        "本节点的名录已过期。请按 Retry-After 所示稍后重发。",
        "Directory expired here. Send it again after Retry-After.",
        again=True,
    ),
    Answer(
        24,
        "internal",
        500,
        "服务内部错误，已记录。请稍后重发。",
        "Internal error, recorded here. Send it again later.",
        again=True,
    ),
)
ANSWERS: Final[Mapping[int, Answer]] = {answer.check: answer for answer in _ANSWERS}
RETRIED_NAMES: Final = frozenset(answer.name for answer in _ANSWERS if answer.again)


class Refused(Exception):
    """A check that failed. ``field`` names a member, never its value.

    ``instance`` stands in the answer and in the log; ``retry_after`` in seconds goes with 429 and
    503, always.
    """

    def __init__(
        self, check: int, field: str | None = None, *, retry_after: int | None = None
    ) -> None:
        answer = ANSWERS[check]
        super().__init__(answer.name)
        self.answer = answer
        self.field = field
        self.instance = uuid4().urn
        self.retry_after = retry_after
        if answer.status in (429, 503) and retry_after is None:
            self.retry_after = 1

    @property
    def code(self) -> str | None:
        """The refusal code, where the problem has one."""
        return "TR-302" if self.answer.name == "conflict" else None

    def problem(self) -> Problem:
        """The document's parts; nothing of the input is in it. ``Retry-After`` where it belongs."""
        return Problem(
            status=self.answer.status,
            slug=self.answer.name,
            zh=self.answer.zh,
            en=self.answer.en,
            members={"code": self.code, "field": self.field},
            headers={} if self.retry_after is None else {"Retry-After": str(self.retry_after)},
        )
