"""``export`` and ``verify``: a dossier in one's hand, and whether it holds."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from node.commands.options import DataOption, JsonOption, NodeOption, node_of
from node.layout import write_whole
from node.terminal import Exit, Failure, out, print_json, progress, say

if TYPE_CHECKING:
    from node.verify import Judged

# What takes long to import is imported where it is used: help and completion answer at once.


def export(
    subject: Annotated[str, typer.Argument(help="志愿者统一编号 · subject id")],
    to: Annotated[Path | None, typer.Option(
        "--to", dir_okay=False, show_default="SUBJECT.dossier.json",
        help="写到 · where to write")] = None,
    node: NodeOption = None, data: DataOption = None, json: JsonOption = False,
) -> None:
    """导出整份档案(条目、档案头、归属链) · Export a whole dossier: entries, head, custody chain."""
    from node import tokens
    from node.client import Api

    found = node_of(node, data)
    target = to or Path(f"{subject}.dossier.json")

    def token() -> str:
        return tokens.token(found, f"volunteer:{subject}", ["volunteer"], subject_id=subject,
                            strong=True)

    with (Api(found.api_url("transfer"), token) as api,
          progress(say("导出", "exporting"), quiet=json)):
        exported: dict[str, Any] = api.get(f"/exports/{subject}")
    write_whole(target, json_module.dumps(exported, ensure_ascii=False), mode=0o600)
    if json:
        print_json({"file": str(target), "leaves": len(exported["entries"])})
    else:
        out().print(say(f"{len(exported['entries'])} 个条目版本写到 {target}",
                        f"{len(exported['entries'])} entry versions written to {target}"))


def verify_file(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="导出的档案 · an export")],
    directory: Annotated[Path | None, typer.Option(
        dir_okay=False, help="名录文件;缺省取自节点 · directory; default: the node's")] = None,
    pin: Annotated[list[str] | None, typer.Option(
        help="联盟公钥 kid:hex · the office's key")] = None,
    receipt: Annotated[list[Path] | None, typer.Option(
        dir_okay=False, help="手中的回执 · receipts held")] = None,
    node: NodeOption = None, data: DataOption = None, json: JsonOption = False,
) -> None:
    """离线核验档案:签名、摘要树、合计、归属链 · Verify an export offline.

    退出码 · exit code: 0 完整 it holds, 1 不成立 it does not.
    """
    from node import verify
    from node.verify import CannotVerify

    pins, path = list(pin or ()), directory
    if path is None or not pins:
        found = node_of(node, data)
        path = path or Path(found.directory)
        pins = pins or list(found.directory_keys)
    try:
        known = verify.directory_of(path, pins)
        with progress(say("核验", "verifying"), quiet=json):
            judged = verify.judge(verify.read_json(file), known,
                                  [verify.read_json(one) for one in receipt or ()])
    except CannotVerify as problem:
        raise Failure(Exit.ASKED_WRONGLY, problem.zh, problem.en) from None
    if json:
        print_json(judged.as_json())
    else:
        show(judged)
    if judged.code is not None:
        raise typer.Exit(Exit.FOUND_WRONG)


def show(judged: Judged) -> None:
    """The verdict in words."""
    console = out()
    told = judged.as_json()
    if judged.code is None:
        console.print(f"[bold green]✓ {say('档案完整', 'the dossier holds')}[/bold green]")
    else:
        console.print(f"[bold red]✗ {judged.code}[/bold red] "
                      + escape(say(told["zh"] or "", told["en"] or "")))
    console.print(say(
        f"归属 {' → '.join(judged.cities)}(第 {judged.epoch} 代),{told['leaves']} 个条目版本,"
        f"档案头签于 {judged.at}",
        f"custody {' → '.join(judged.cities)} (epoch {judged.epoch}), {told['leaves']} entry "
        f"versions, head of {judged.at}"))
    if told["totals"] is not None:
        minutes = told["totals"]["credited_minutes"]
        console.print(say(f"计入 {minutes} 分钟({minutes / 60:.2f} 小时)",
                          f"credited {minutes} minutes ({minutes / 60:.2f} h)"))
