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


class RoleIsUnknown(Exception):
    """No role of ours; the text lists them."""


def grant(said: str) -> Grant:
    """``recorder@ORGANISATION``, ``county_reviewer/500106`` or ``auditor`` as a grant."""
    role, organisation_id, region = said, None, None
    if "@" in said:
        role, organisation_id = said.split("@", 1)
    elif "/" in said:
        role, region = said.split("/", 1)
    if role not in ROLES:
        raise RoleIsUnknown(f"{role}: one of {', '.join(ROLES)}")
    return Grant(role, organisation_id or None, region or None)


def token(node: Node, actor_id: str, roles: Sequence[str | Grant], *,
          subject_id: str | None = None, strong: bool = False) -> str:
    """A token of this node, good for 15 minutes. ``strong``: as after a strong login."""
    key: Any = keys.read_private(node.keys / "registry" / "token.key")
    assert isinstance(key, Ed25519PrivateKey), "the token key signs"
    grants = [role if isinstance(role, Grant) else grant(role) for role in roles]
    return issue_token(key, node.code, actor_id, grants, subject_id,
                       "strong" if strong else None, LIFETIME, clock=SystemClock())
