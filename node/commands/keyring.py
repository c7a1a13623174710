"""``keys list``, ``keys add``, ``keys use``: keys of the directory, and how they are replaced."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from node.commands.options import DataOption, JsonOption, NodeOption, node_of
from node.terminal import out, print_json, say, table

# What takes long to import is imported where it is used: help and completion answer at once.

UseArgument = Annotated[str, typer.Argument(metavar="USE", help="message|custody|entry|head|seal")]


def keys_list(node: NodeOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """名录所列密钥:在用、待用、已换下 · The keys of the directory: in use, next, before."""
    from node import rotation

    found = node_of(node, data)
    listed = rotation.listed(found)
    if json:
        print_json([asdict(item) for item in listed])
        return
    states = {"in use": say("在用", "in use"), "next": say("待用", "next"),
              "before": say("已换下", "before")}
    out().print(table(
        say(f"{found.code} 的密钥", f"keys of {found.code}"),
        [say("用途", "use"), say("密钥", "key"), say("状态", "state"), say("自", "from"),
         say("至", "until"), say("已入名录", "in the directory")],
        [(item.use, item.kid, states[item.state], item.not_before, item.not_after,
          "✓" if item.signed else None) for item in listed]))


def keys_add(use: UseArgument, node: NodeOption = None, data: DataOption = None,
             json: JsonOption = False) -> None:
    """生成下一把密钥并列入 entry.json,7 天后可用 · Make the next key and list it in entry.json;
    it may be used in 7 days.
    """
    from node import rotation

    found = node_of(node, data)
    item = rotation.add(found, use, datetime.now(UTC))
    if json:
        print_json(item)
        return
    entry = found.home / "entry.json"
    out().print(say(
        f"{item['kid']} 已列入 {entry}\n下一步:把它交给联盟办公室签署;{item['not_before']} 起运行 "
        f"jiexu keys use {use} -n {found.code}",
        f"{item['kid']} is listed in {entry}\nnext: the federation office signs it; from "
        f"{item['not_before']} on: jiexu keys use {use} -n {found.code}"))


def keys_use(use: UseArgument, node: NodeOption = None, data: DataOption = None,
             json: JsonOption = False) -> None:
    """启用下一把密钥 · Take the next key into use; the directory must list it by now."""
    from node import rotation

    found = node_of(node, data)
    kept = rotation.take_into_use(found, use, datetime.now(UTC))
    service = rotation.SERVICE[use]
    if json:
        print_json({"use": use, "restart": service, "kept": str(kept)})
        return
    out().print(say(
        f"{use} 的新密钥已就位\n下一步:重启 {service} 的全部进程;旧密钥在 {kept},之后销毁",
        f"the new key for {use} is in its place\nnext: start all processes of {service} again; the "
        f"old one is {kept}, to be destroyed afterwards"))
