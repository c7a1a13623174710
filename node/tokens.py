"""Who may I be on this node? Node tokens for the embedded node, signed with its own key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node import keys
from node.layout import Node
from shared.auth import LIFETIME, issue_token
from shared.clock import SystemClock
from shared.messages import Grant

ROLES = (
    "login", "volunteer", "guardian", "recorder", "approver", "org_admin", "station_worker",
    "social_worker", "county_reviewer", "city_reviewer", "province_reviewer", "node_operator",
    "auditor",
)


# What a role is of no use without: the services compare it at every decision.
OF_ORGANISATION = ("recorder", "approver", "org_admin")
OF_REGION = ("county_reviewer", "city_reviewer", "province_reviewer")
OF_SUBJECT = ("volunteer",)


class RoleIsUnknown(Exception):
    """No role of ours; the text lists them."""


class RoleIsIncomplete(Exception):
    """A role that says too little to be used; ``zh`` and ``en`` say how it is written."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


def grant(said: str) -> Grant:
    """``recorder@ORGANISATION``, ``county_reviewer/500106`` or ``auditor`` as a grant.

    Raises ``RoleIsUnknown``, ``RoleIsIncomplete``.
    """
    role, organisation_id, region = said, None, None
    if "@" in said:
        role, organisation_id = said.split("@", 1)
    elif "/" in said:
        role, region = said.split("/", 1)
    if role not in ROLES:
        raise RoleIsUnknown(f"{role}: one of {', '.join(ROLES)}")
    if role in OF_ORGANISATION and not organisation_id:
        raise RoleIsIncomplete(f"角色 {role} 须注明机构:{role}@机构编号",
                               f"{role} acts for an organisation: {role}@ORGANISATION")
    if role in OF_REGION and not region:
        raise RoleIsIncomplete(f"角色 {role} 须注明区划:{role}/区划代码",
                               f"{role} decides in a region: {role}/REGION")
    return Grant(role, organisation_id or None, region or None)


def token(node: Node, actor_id: str, roles: Sequence[str | Grant], *,
          subject_id: str | None = None, strong: bool = False) -> str:
    """A token of this node, good for 15 minutes. ``strong``: as after a strong login.

    Raises ``RoleIsUnknown``, ``RoleIsIncomplete``.
    """
    key: Any = keys.read_private(node.keys / "registry" / "token.key")
    assert isinstance(key, Ed25519PrivateKey), "the token key signs"
    grants = [role if isinstance(role, Grant) else grant(role) for role in roles]
    alone = [each.role for each in grants if each.role in OF_SUBJECT and not subject_id]
    if alone:
        raise RoleIsIncomplete(f"角色 {alone[0]} 须用 --subject 注明志愿者统一编号",
                               f"{alone[0]} acts for herself: --subject says who she is")
    return issue_token(key, node.code, actor_id, grants, subject_id,
                       "strong" if strong else None, LIFETIME, clock=SystemClock())
