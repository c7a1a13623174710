"""Which policies come with the software, and how are they published at provision?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from services.registry.domain.policies.commands import Document, PublishPolicy
from services.registry.domain.rejections import ContentIsInvalid
from services.registry.edge.policy_models import judge
from shared.canonical import digest
from shared.clock import Clock
from shared.ids import request_command_id
from shared.ledger import LedgerApi
from shared.messages import Actor, Grant, Rejection

# In this order; SC 四川 is empty, with a note.
PACKS = ("CN", "CQ", "SC")
ACTOR = Actor("system:provision", (Grant("system"),))


class PackIsWrong(Exception):
    """A shipped policy cannot be published; names the policy and the reason."""


def documents() -> Iterator[Document]:
    """Every policy of every pack, checked; raises ``PackIsWrong``."""
    for content in contents():
        document = judge(content)
        if isinstance(document, ContentIsInvalid):
            raise PackIsWrong(f"{content.get('policy_id')}: {document.path} {document.reason}")
        yield document


def contents() -> Iterator[dict[str, Any]]:
    """The documents as JSON; YAML's dates become text."""
    for pack in PACKS:
        folder = files("services.registry").joinpath("policies", pack)
        for file in sorted(folder.iterdir(), key=lambda each: each.name):
            if file.name.endswith(".yaml"):
                yield from _read(file)


async def publish(ledger: LedgerApi, clock: Clock) -> None:
    """Publishes what is not published yet; a version that stands already is silence."""
    for document in documents():
        version = f"{document.policy_id}:{document.version}:{digest(document.content)}"
        outcome = await ledger.submit(
            PublishPolicy(
                command_id=request_command_id(ACTOR.actor_id, "publish", version),
                actor=ACTOR,
                at=clock.now(),
                document=document,
            )
        )
        if isinstance(outcome, Rejection):
            raise PackIsWrong(f"{document.policy_id}: {outcome.slug()}")


def _read(file: Traversable) -> Iterator[dict[str, Any]]:
    for document in yaml.safe_load_all(file.read_text("utf-8")):
        yield json.loads(json.dumps(document, default=str))
