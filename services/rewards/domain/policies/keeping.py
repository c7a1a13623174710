"""How does a published policy become this service's own copy? One version after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.rewards.domain.policies.model import NotSupported, from_content
from shared.messages import Command, Event, Rejection


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepPolicy(Command):
    """Registry published a version of a star policy."""

    policy_id: str
    version: int
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdvancePolicy(Command):
    """A page of subjects was judged by a version that began; ``after`` is its last (None: done)."""

    policy_id: str
    version: int
    after: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyAdvanced(Event):
    """Own: the next page of subjects is due."""

    policy_id: str
    version: int
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyKept(Event):
    """Own: from here on this version judges the facts of its days."""

    policy_id: str
    version: int
    effective_from: date
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptPolicy:
    """The versions of one policy id that are kept; their contents stand in a table."""

    versions: tuple[int, ...] = ()


@dataclass(frozen=True)
class PolicyIsNotSupported(Rejection):
    """Kept by registry, not evaluated here: no star is judged by half a policy."""

    policy_id: str
    version: int
    path: str
    zh = (
        "星级办法 {policy_id} 第 {version} 版使用了本系统尚不支持的条款（{path}），未予启用。"
        "请改用已支持的条款发布新版本，或升级本系统。"
    )
    en = (
        "Star policy {policy_id} version {version} uses {path}, which is not evaluated yet. "
        "Publish a version without it, or upgrade this system."
    )


def decide(
    state: KeptPolicy, command: KeepPolicy | AdvancePolicy
) -> tuple[PolicyKept | PolicyAdvanced, ...] | Rejection:
    """Keeps a version once; goes on with the subjects that it judges from its first day."""
    if isinstance(command, AdvancePolicy):
        if command.after is None or command.version not in state.versions:
            return ()
        return (
            PolicyAdvanced(
                policy_id=command.policy_id, version=command.version, after=command.after
            ),
        )
    if command.version in state.versions:
        return ()
    try:
        policy = from_content(command.content)
    except NotSupported as why:
        return PolicyIsNotSupported(
            policy_id=command.policy_id, version=command.version, path=why.path
        )
    return (
        PolicyKept(
            policy_id=command.policy_id,
            version=command.version,
            effective_from=policy.effective_from,
            content=command.content,
        ),
    )


def evolve(state: KeptPolicy, event: PolicyKept | PolicyAdvanced) -> KeptPolicy:
    """The versions kept, in the order of their arrival."""
    if isinstance(event, PolicyAdvanced):
        return state
    return KeptPolicy(versions=(*state.versions, event.version))
