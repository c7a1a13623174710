"""Which words make a broker allow this service what it needs? Printed; nothing is reached."""

from __future__ import annotations

from typing import Final

from shared.access import acls
from shared.roles.parts import Service, gather

PRINTED: Final = ("acls", "kafka-user")


async def permissions(service: Service, form: str) -> str:
    """``acls``: commands of Kafka's own tool; ``kafka-user``: a manifest for Strimzi.

    The principal is the one that settings name, else NODE-SERVICE.
    """
    settings = service.settings
    parts = gather(service, form)
    async with parts.http:
        reads = [source.topic for source in service.sources(parts)]
    found = acls.rules(settings.node, service.name, reads)
    principal = settings.kafka_username or f"{settings.node}-{service.name}"
    if form == "kafka-user":
        return acls.kafka_user(principal, found)
    return acls.commands(settings.kafka_bootstrap, principal, found)
