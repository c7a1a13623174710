"""``status``, ``doctor``, ``topics``, ``events tail``, ``token``: what a node is and does."""

from __future__ import annotations

import json as json_module
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from node.commands.options import DataOption, JsonOption, NodeOption, node_of, root_of
from node.layout import SERVICES, Node, NodeIsUnknown, NodeIsWrong, find, nodes
from node.terminal import Exit, Failure, out, print_json, say, table

if TYPE_CHECKING:
    from node.doctor import Finding
    from node.events import Seen

# What takes long to import is imported where it is used: help and completion answer at once.
_DIM_SUBJECT_CHARACTERS = 12
_SHOWN_MOVES = 20


def status(node: NodeOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """进程、端口、日志、积压、搁置、死信、未完转移、即将到期 · Processes, ports, logs, lag, parked
    keys, dead letters, open moves, expiry.

    退出码 · exit code: 0 就绪 ready, 3 未运行或未就绪 not running or not ready.
    """
    from node import status as statuses

    found = statuses.status(node_of(node, data), datetime.now(UTC))
    if json:
        print_json(found)
    else:
        _show(found)
    if not found["ready"]:
        raise typer.Exit(Exit.NODE_STATE)


def _show(found: dict[str, Any]) -> None:
    console = out()
    phase = found["phase"] + ("" if found["ready"] or found["phase"] != "running" else
                              say(",未就绪", ", not ready"))
    console.print(f"[bold]{found['code']} {found['name_zh']}[/bold] {phase}  {found['home']}")
    if found["problem"]:
        console.print(escape(found["problem"]), style="red")
    if found["processes"]:
        console.print(table(
            say("进程", "processes"),
            [say("名称", "name"), "pid", say("就绪", "ready"), say("重启", "restarts"),
             say("日志", "log")],
            [(row["name"], row["pid"], "✓" if row["ready"] else "…", row["restarts"], row["log"])
             for row in found["processes"]]))
    console.print(table(say("端口", "ports"), [say("用途", "what"), say("端口", "port")],
                        list(found["ports"].items())))
    if found["behind"]:
        console.print(table(
            say("积压", "lag"),
            [say("服务", "service"), say("就绪", "ready"), say("未读", "unread"),
             say("未发布", "unpublished"), say("最早的", "oldest"),
             say("搁置的键", "parked keys"), say("其消息", "their messages"),
             say("最早的", "oldest"), say("死信", "dead letters"),
             say("被拒事实", "refused facts")],
            [(row["service"], "✓" if row["ready"] else "…",
              None if row["unread"] is None else sum(row["unread"].values()), row["unpublished"],
              _age(row["unpublished_seconds"]), row["parked_keys"], row["parked_messages"],
              _age(row["parked_seconds"]), row["dead_letters"], row["refused"])
             for row in found["behind"]]))
    if found["broker_problem"]:
        console.print(escape(found["broker_problem"]), style="yellow")
    for service, problem in found["behind_unknown"].items():
        console.print(say(f"{service} 的积压未知:{problem}",
                          f"lag of {service} unknown: {problem}"), style="yellow")
    if found["transfers"] is not None:
        _show_moves(found["code"], found["transfers"])
    if found["directory_problem"]:
        console.print(say(f"名录有误:{escape(found['directory_problem'])}",
                          f"the directory is wrong: {escape(found['directory_problem'])}"),
                      style="red")
    for item in found["expiring"]:
        console.print(say(f"{item['what']} 还剩 {item['days']} 天",
                          f"{item['what']}: {item['days']} days left"), style="yellow")


def _show_moves(code: str, found: dict[str, Any]) -> None:
    moves = found["open"]
    if not moves:
        out().print(say("没有未完的转移", "no open moves"))
        return
    whole = len(moves) <= _SHOWN_MOVES and not found["more"]
    out().print(table(
        say(f"未完的转移({len(moves)}{'+' if found['more'] else ''})",
            f"open moves ({len(moves)}{'+' if found['more'] else ''})"),
        [say("转移", "transfer"), say("由", "from"), say("至", "to"), say("进度", "status"),
         say("轮到", "whose turn"), say("自", "since"), say("应于", "due")],
        [(move["transfer_id"], move["origin"], move["destination"],
          say(move["status_text"]["zh"], move["status_text"]["en"]),
          move["whose_turn"] + (say(" 本市", " us") if move["whose_turn"] == code else ""),
          move["since"], (move["due_on"] or "–") + (say(" 已逾期", " overdue")
                                                    if move["overdue"] else ""))
         for move in moves[:_SHOWN_MOVES]]))
    if not whole:
        out().print(say("…(--json 列出更多)", "… (--json lists more)"))


def _age(seconds: float) -> str | None:
    """``None`` where there is nothing that could be old."""
    return f"{seconds:.0f} s" if seconds else None


def doctor(node: NodeOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """检查缺什么、怎么补;不指明节点则检查每个节点 · What is missing, and how to mend it; without -n
    in every node. Exit code 1: something is.
    """
    from node import doctor as doctors

    root = root_of(data)
    try:
        found = [find(node, root)] if node is not None else nodes(root)
    except NodeIsWrong as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"node.json 有误:{problem}", str(problem)) from None
    except NodeIsUnknown:
        raise Failure(Exit.ASKED_WRONGLY, f"没有节点 {node}", f"no node {node}") from None
    findings: list[tuple[Node | None, list[Finding]]] = [(None, doctors.of_machine(root))]
    findings += [(each, doctors.of_node(each)) for each in found]
    if json:
        print_json([{"node": each and each.code, "what": item.what, "right": item.right,
                     "mend": None if item.right else say(item.zh, item.en)}
                    for each, items in findings for item in items])
    else:
        for each, items in findings:
            if each is not None:
                out().print(f"[bold]{each.code} {escape(each.name_zh)}[/bold]")
            for item in items:
                mark = "[green]✓[/green]" if item.right else "[red]✗[/red]"
                out().print(f"{mark} {escape(item.what)}"
                            + ("" if item.right else f"  → {escape(say(item.zh, item.en))}"))
    if not all(item.right for _, items in findings for item in items):
        raise typer.Exit(Exit.FOUND_WRONG)


def list_topics(node: NodeOption = None, data: DataOption = None,
                json: JsonOption = False) -> None:
    """主题:键、分区、公开与否、消息数 · Topics: key, partitions, public or not, messages."""
    from node import topics
    from node.broker import answering, answering_on

    found = node_of(node, data)
    with answering_on(answering(found)):
        there = topics.on_broker(found)
    rows = [{
        "topic": topic.on(found.code), "service": service, "public": topic.public,
        "key": topic.key, "description": topic.description,
        "partitions": there.get(topic.name, {}).get("partitions"),
        "messages": there.get(topic.name, {}).get("end"),
    } for service, owned in topics.declared().items() for topic in owned]
    if json:
        print_json(rows)
        return
    out().print(table(
        say("主题", "topics"),
        [say("主题", "topic"), say("键", "key"), say("公开", "public"),
         say("分区", "partitions"), say("消息", "messages")],
        [(row["topic"], row["key"], "✓" if row["public"] else "", row["partitions"],
          row["messages"]) for row in rows]))


def events_tail(
    node: NodeOption = None,
    data: DataOption = None,
    type: Annotated[str | None, typer.Option(
        help="类型(部分即可)· a part of the type, entry-approved")] = None,
    subject: Annotated[str | None, typer.Option(help="键 · the key, a subject id say")] = None,
    service: Annotated[str | None, typer.Option(help="来源服务 · of this service")] = None,
    from_beginning: Annotated[bool, typer.Option(help="从头开始 · from the first event")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="几条后结束 · end after so many")] = None,
    json: JsonOption = False,
) -> None:
    """实时显示事件,Ctrl-C 结束 · Show events as they flow; Ctrl-C ends.

    --json: 每行一个 · one JSON object a line.
    """
    if service is not None and service not in SERVICES:
        raise Failure(Exit.ASKED_WRONGLY, f"没有服务 {service}", f"no service {service}")
    from node.broker import answering, answering_on
    from node.events import Filter, Tail

    found = node_of(node, data)
    wanted = Filter(type, subject, service)
    broker = answering(found)
    shown = 0
    try:
        with (
            answering_on(broker),
            closing(Tail(found.code, broker, from_beginning=from_beginning)) as tail,
        ):
            for seen in tail:
                if not wanted.takes(seen):
                    continue
                if json:
                    print(json_module.dumps(seen.as_json(), ensure_ascii=False), flush=True)
                else:
                    out().print(line(seen))
                shown += 1
                if limit is not None and shown >= limit:
                    return
    except KeyboardInterrupt:
        return


def line(seen: Seen) -> str:
    """One event on one line: node, topic, type, subject."""
    sequence = "" if seen.sequence is None else f" #{seen.sequence}"
    return (f"[dim]{escape(seen.time[11:19])}[/dim] {seen.node} [cyan]{escape(seen.topic)}[/cyan] "
            f"[bold]{escape(seen.type)}[/bold] "
            f"[dim]{escape(seen.key[:_DIM_SUBJECT_CHARACTERS])}{sequence}[/dim]")


def token(
    roles: Annotated[list[str], typer.Argument(
        help="角色:auditor、recorder@机构、county_reviewer/区划 · ROLE, ROLE@ORG, ROLE/REGION")],
    actor: Annotated[str, typer.Option(help="操作者编号 · the actor's id")] = "operator",
    subject: Annotated[str | None, typer.Option(help="志愿者统一编号 · subject id")] = None,
    strong: Annotated[bool, typer.Option(help="强认证登录 · as after a strong login")] = False,
    node: NodeOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """签发本节点令牌(15 分钟) · A token of the embedded node, good for 15 minutes."""
    from node import tokens

    try:
        made = tokens.token(node_of(node, data), actor, roles, subject_id=subject, strong=strong)
    except tokens.RoleIsUnknown as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"没有角色 {problem}", f"no role {problem}") from None
    except tokens.RoleIsIncomplete as problem:
        raise Failure(Exit.ASKED_WRONGLY, problem.zh, problem.en) from None
    if json:
        print_json({"token": made})
    else:
        print(made)
