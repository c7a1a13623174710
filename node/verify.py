"""Does an exported dossier hold, judged offline: signatures, tree, sums, custody chain?

Needs the export, the node directory and the pinned key of the federation office; no node, no
network. The one module that borrows the destination's own verifier (``services.transfer``), so
that a volunteer's verdict is the city's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.transfer.domain.directory import Directory, endorsements, read_directory
from services.transfer.domain.verify import Verdict, verify_export
from shared.messages import Unreadable

# One office key of one signs in the trial, as the settings of a node say.
THRESHOLD = 1
MEMBERS = ("entries", "head", "custody_chain")

# What each refusal of a destination means for a dossier in one's hand (protocol, section 7).
MEANINGS = {
    "TR-204": ("档案头的签名无效", "the head's signature does not hold"),
    "TR-303": ("归属轮次已过期", "the epoch is stale"),
    "TR-401": ("格式不符", "not of the protocol's form"),
    "TR-402": ("条数与档案头不符", "the number of entries differs from the head"),
    "TR-403": ("摘要树的根不符", "the root of the tree differs"),
    "TR-404": ("有条目的签名无效,或不属于此人",
               "an entry's signature does not hold, or it is of somebody else"),
    "TR-405": ("归属链断裂", "the custody chain is broken"),
    "TR-406": ("与持有的回执矛盾", "it contradicts a receipt"),
    "TR-409": ("分钟合计与档案头不符", "the minutes differ from the head's totals"),
    "TR-410": ("有条目的分钟数不合规", "an entry's minutes are out of range"),
    "TR-411": ("同一条目有两种内容", "one entry stands there with two contents"),
    "TR-412": ("有条目出自无权的城市", "an entry is of a city that had no right to make it"),
    "TR-413": ("状态摘要不符", "the state digest differs"),
}


class CannotVerify(Exception):
    """What is needed is missing or unreadable; ``zh`` and ``en`` say what."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict, and what was judged. ``code`` is None where the dossier holds."""

    verdict: Verdict
    subject_id: str
    home: str
    epoch: int
    cities: tuple[str, ...]
    at: str

    @property
    def code(self) -> str | None:
        """``TR-403``, say, or None."""
        return None if self.verdict.flaw is None else self.verdict.flaw.code

    def as_json(self) -> dict[str, Any]:
        """The verdict for a script."""
        flaw, totals = self.verdict.flaw, self.verdict.totals
        zh, en = MEANINGS.get(self.code or "", (None, None))
        return {
            "holds": flaw is None, "code": self.code, "zh": zh, "en": en,
            "evidence_digest": None if flaw is None else flaw.evidence_digest,
            "subject_id": self.subject_id, "home": self.home, "epoch": self.epoch,
            "custody": list(self.cities), "at": self.at, "leaves": self.verdict.count,
            "root": self.verdict.root, "state_digest": self.verdict.state_digest,
            "totals": None if totals is None else {
                name: getattr(totals, name) for name in (
                    "credited_minutes", "pending_minutes", "disputed_minutes",
                    "learning_minutes", "consumed_minutes")},
        }


def judge(export: Any, directory: Directory,
          receipts: Sequence[Mapping[str, Any]] = ()) -> Judged:
    """The verdict on one export. Raises ``CannotVerify`` where it is none at all."""
    if not isinstance(export, Mapping) or not all(name in export for name in MEMBERS):
        raise CannotVerify(f"不是导出的档案:缺少 {', '.join(MEMBERS)}",
                           f"no export: it needs {', '.join(MEMBERS)}")
    head, chain = export["head"], export["custody_chain"]
    verdict = verify_export(export["entries"], head=head, custody_chain=chain,
                            directory=directory, verify=_holds, receipts=receipts)
    if verdict.flaw is not None and verdict.flaw.code == "TR-401" and not verdict.kinds:
        return Judged(verdict, "?", "?", 0, (), "?")
    body = head["body"]
    return Judged(verdict, body["subject_id"], body["home"], body["epoch"],
                  tuple(link["body"]["home"] for link in chain), body["at"])


def directory_of(path: Path, pins: Sequence[str]) -> Directory:
    """The directory of a file, endorsed by pinned keys (``kid:hex``). Raises ``CannotVerify``."""
    file = read_json(path)
    pinned = {}
    for pin in pins:
        kid, _, public = pin.rpartition(":")
        try:
            pinned[kid] = bytes.fromhex(public)
        except ValueError:
            kid = ""
        if not kid:
            raise CannotVerify(f"联盟公钥应为 kid:hex:{pin}",
                               f"the office's key is written kid:hex, not {pin}") from None
    try:
        directory = read_directory(file)
    except Unreadable as problem:
        raise CannotVerify(f"名录不可读:{problem}", f"the directory is unreadable: {problem}") \
            from None
    if endorsements(file, pinned, _holds) < THRESHOLD:
        raise CannotVerify("名录没有由固定的联盟密钥签署",
                           "no pinned key of the federation office signed the directory")
    return directory


def read_json(path: Path) -> Any:
    """A JSON file. Raises ``CannotVerify``."""
    try:
        return json.loads(path.read_bytes())
    except OSError as problem:
        raise CannotVerify(f"无法打开 {path}:{problem.strerror}",
                           f"{path} cannot be opened: {problem.strerror}") from None
    except (ValueError, RecursionError):
        raise CannotVerify(f"{path} 不是 JSON", f"{path} is no JSON") from None


def _holds(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
