"""The command ``jiexu``: which commands are there, and how does each end?

Exit codes: 0 done; 1 done, and something was found wrong; 2 asked wrongly; 3 the node does not
run, or runs already; 4 a service refused; 5 not available now, try again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.markup import escape

from node.commands import dossiers, keeping, keyring, looking, mending, nodes, sheets
from node.terminal import Failure, err

HELP = """接续 Jiexu:志愿服务记录随人转移 · volunteer records that follow the person.

退出码 exit codes: 0 完成 done · 1 发现问题 found something wrong · 2 用法有误 asked wrongly ·
3 节点未运行 node not running · 4 服务拒绝 refused · 5 暂不可用 unavailable
"""


def make_app() -> typer.Typer:
    """The command line; made when it is run, for nothing is built at import."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=HELP,
                      context_settings={"help_option_names": ["-h", "--help"]})
    commands: tuple[tuple[str, Callable[..., Any]], ...] = (
        ("init", nodes.init), ("up", nodes.up), ("down", nodes.down), ("status", looking.status),
        ("doctor", looking.doctor), ("token", looking.token), ("topics", looking.list_topics),
        ("import", sheets.import_sheet), ("export", dossiers.export),
        ("verify", dossiers.verify_file), ("redrive", mending.redrive),
        ("republish", mending.republish), ("backup", keeping.backup), ("demo", nodes.demo),
    )
    for name, command in commands:
        app.command(name)(command)
    groups: tuple[tuple[str, str, dict[str, Callable[..., Any]]], ...] = (
        ("directory", "节点名录 · the node directory", {"sign": nodes.directory_sign}),
        ("keys", "密钥的更替 · keys and their rotation", {
            "list": keyring.keys_list, "add": keyring.keys_add, "use": keyring.keys_use}),
        ("events", "事件 · events", {"tail": looking.events_tail}),
    )
    for group_name, text, members in groups:
        group = typer.Typer(no_args_is_help=True, help=text)
        group.callback()(_keep_names)
        for name, command in members.items():
            group.command(name)(command)
        app.add_typer(group, name=group_name)
    return app


def _keep_names() -> None:
    # With a callback, a group of one command keeps that command's name.
    return None


def main() -> None:
    """Run the command line; a failure is one sentence on standard error."""
    try:
        make_app()()
    except Failure as failure:
        err().print(f"[red]{escape(str(failure))}[/red]")
        sys.exit(int(failure.code))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
