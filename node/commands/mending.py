"""``redrive``, ``republish``: what waits is tried again, what was lost is published again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from node.commands.options import DataOption, JsonOption, NodeOption, node_of, root_of
from node.layout import SERVICES, Node
from node.terminal import Exit, Failure, out, print_json, say

# What takes long to import is imported where it is used: help and completion answer at once.


def redrive(
    service: Annotated[str, typer.Argument(help="服务 · service")],
    topic: Annotated[str | None, typer.Option(help="仅该主题 · of this topic")] = None,
    key: Annotated[str | None, typer.Option(help="仅该键 · of this key")] = None,
    node: NodeOption = None, data: DataOption = None, json: JsonOption = False,
) -> None:
    """搁置的消息立即重试 · Try parked messages again now."""
    from node import database, topics
    from shared.reader import redrive as make_due

    async def ask() -> int:
        connection = await topics.connect(url, service)
        try:
            return await make_due(connection, topic, key)
        finally:
            await connection.close()

    _known(service)
    url = database.url_of(_meant(node, data))
    waiting = _run(ask(), service)
    if json:
        print_json({"service": service, "waiting": waiting})
    else:
        out().print(say(f"{waiting} 条消息将立即重试", f"{waiting} messages are tried again now"))


def republish(
    service: Annotated[str, typer.Argument(help="服务 · service")],
    topic: Annotated[list[str] | None, typer.Option(help="仅该主题 · these topics")] = None,
    reader: Annotated[str | None, typer.Option(
        help="仅让该服务停下的读取继续 · only have readers of this service that stopped go on",
    )] = None,
    node: NodeOption = None, data: DataOption = None, json: JsonOption = False,
) -> None:
    """重新发布服务的主题 · Publish a service's topics again from their first event."""
    from asyncpg import InsufficientPrivilegeError, UndefinedTableError

    from node import database, topics
    from shared.postgres import Database
    from shared.reader import forget_cut
    from shared.relay import republish as ask_relay

    owned = [owned.name for owned in topics.declared()[_known(service)]]
    wanted = topic or owned
    if unknown := sorted(set(wanted) - set(owned)):
        raise Failure(Exit.ASKED_WRONGLY, f"不是 {service} 的主题:{', '.join(unknown)}",
                      f"no topics of {service}: {', '.join(unknown)}")
    readers = SERVICES if reader is None else (_known(reader),)
    url = database.url_of(_meant(node, data))

    async def ask() -> list[str]:
        if reader is None:
            async with Database(url, service, ledger_connections=1, connections=1) as asked:
                await ask_relay(asked, wanted)
        # Readers that stopped because these logs were cut before they had read them go on.
        closed = []
        for reading in readers:
            connection = await topics.connect(url, reading)
            try:
                await forget_cut(connection, wanted)
            except (InsufficientPrivilegeError, UndefinedTableError):
                # A service's own role enters no other schema; its container may.
                if reading in (reader, service):
                    raise
                closed.append(reading)
            finally:
                await connection.close()
        return closed

    closed = _run(ask(), reader or service)
    if json:
        print_json({"service": service, "topics": wanted, "readers_left": closed})
        return
    if reader is None:
        out().print(say(f"将重新发布:{', '.join(wanted)}", f"published again: {', '.join(wanted)}"))
    else:
        out().print(say(f"{reader} 停下的读取将继续", f"readers of {reader} that stopped go on"))
    for each in closed:
        out().print(say(
            f"若 {each} 的读取因此停下,在其容器内执行:jiexu republish {service} --reader {each}",
            f"if readers of {each} stopped for it, run in its container: "
            f"jiexu republish {service} --reader {each}"))


def _meant(name: str | None, data: Path | None) -> Node | None:
    """The node meant; None in a container, where none lies."""
    if name is None and not any(root_of(data).glob("*/node.json")):
        return None
    return node_of(name, data)


def _known(service: str) -> str:
    if service not in SERVICES:
        raise Failure(Exit.ASKED_WRONGLY, f"没有服务 {service}", f"no service {service}")
    return service


def _run(work: Coroutine[Any, Any, Any], service: str) -> Any:
    import asyncpg

    from shared.messages import Unavailable

    try:
        return asyncio.run(work)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError):
        raise Failure(
            Exit.REFUSED, f"此数据库角色不得进入 {service} 的模式:请在 {service} 的容器内执行",
            f"this database role may not enter the schema of {service}, or it is not provisioned: "
            f"run this command in a container of {service}") from None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError,
            Unavailable) as problem:
        raise Failure(Exit.NODE_STATE, "无法查询节点的 PostgreSQL",
                      f"the node's PostgreSQL cannot be asked ({type(problem).__name__})") from None
