"""``redrive``, ``republish``: what waits is tried again, what was lost is published again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from node.commands.options import DataOption, JsonOption, NodeOption, node_of
from node.layout import DATABASE, SERVICES
from node.terminal import Exit, Failure, out, print_json, say

# What takes long to import is imported where it is used: help and completion answer at once.


def redrive(
    service: Annotated[str, typer.Argument(help="服务 · service")],
    topic: Annotated[str | None, typer.Option(help="仅该主题 · of this topic")] = None,
    key: Annotated[str | None, typer.Option(help="仅该键 · of this key")] = None,
    node: NodeOption = None, data: DataOption = None, json: JsonOption = False,
) -> None:
    """搁置的消息立即重试 · Try parked messages again now."""
    from node import topics
    from shared.reader import redrive as make_due

    async def ask() -> int:
        connection = await topics.connect(found, _known(service))
        try:
            return await make_due(connection, topic, key)
        finally:
            await connection.close()

    found = node_of(node, data)
    waiting = _run(ask())
    if json:
        print_json({"service": service, "waiting": waiting})
    else:
        out().print(say(f"{waiting} 条消息将立即重试", f"{waiting} messages are tried again now"))


def republish(
    service: Annotated[str, typer.Argument(help="服务 · service")],
    topic: Annotated[list[str] | None, typer.Option(help="仅该主题 · these topics")] = None,
    node: NodeOption = None, data: DataOption = None, json: JsonOption = False,
) -> None:
    """重新发布服务的主题 · Publish a service's topics again from their first event."""
    from node import topics
    from node.members import server_of
    from shared.postgres import Database
    from shared.reader import forget_cut
    from shared.relay import republish as ask_relay

    found = node_of(node, data)
    owned = [owned.name for owned in topics.declared()[_known(service)]]
    wanted = topic or owned
    if unknown := sorted(set(wanted) - set(owned)):
        raise Failure(Exit.ASKED_WRONGLY, f"不是 {service} 的主题:{', '.join(unknown)}",
                      f"no topics of {service}: {', '.join(unknown)}")

    async def ask() -> None:
        url = server_of(found).url_of(DATABASE)
        async with Database(url, service, ledger_connections=1, connections=1) as database:
            await ask_relay(database, wanted)
        # Readers that stopped because these logs were cut before they had read them go on.
        for reading in SERVICES:
            connection = await topics.connect(found, reading)
            try:
                await forget_cut(connection, wanted)
            finally:
                await connection.close()

    _run(ask())
    if json:
        print_json({"service": service, "topics": wanted})
    else:
        out().print(say(f"将重新发布:{', '.join(wanted)}", f"published again: {', '.join(wanted)}"))


def _known(service: str) -> str:
    if service not in SERVICES:
        raise Failure(Exit.ASKED_WRONGLY, f"没有服务 {service}", f"no service {service}")
    return service


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    import asyncpg

    from shared.messages import Unavailable

    try:
        return asyncio.run(work)
    except (OSError, TimeoutError, asyncpg.PostgresError, Unavailable) as problem:
        raise Failure(Exit.NODE_STATE, "无法查询节点的 PostgreSQL",
                      f"the node's PostgreSQL cannot be asked ({type(problem).__name__})") from None
