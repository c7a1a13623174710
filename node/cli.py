"""The command ``jiexu``: which commands are there, and how does each end?

Exit codes: 0 done; 1 done, and something was found wrong; 2 asked wrongly; 3 the node does not
run, or runs already; 4 a service refused; 5 not available now, try again.
"""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from node.commands import looking, mending, nodes, sheets
from node.terminal import Failure, err

app = typer.Typer(
    no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="接续 Jiexu:志愿服务记录随人转移 · volunteer records that follow the person.\n\n"
         "退出码 exit codes: 0 完成 done · 1 发现问题 found something wrong · 2 用法有误 asked "
         "wrongly · 3 节点未运行 node not running · 4 服务拒绝 refused · 5 暂不可用 unavailable")
for _name, _command in (
    ("init", nodes.init), ("up", nodes.up), ("down", nodes.down), ("status", looking.status),
    ("doctor", looking.doctor), ("token", looking.token), ("topics", looking.list_topics),
    ("redrive", mending.redrive), ("republish", mending.republish),
    ("import", sheets.import_sheet),
):
    app.command(_name)(_command)
app.add_typer(nodes.directory_commands, name="directory")
app.add_typer(looking.events_commands, name="events")


def main() -> None:
    """Run the command line; a failure is one sentence on standard error."""
    try:
        app()
    except Failure as failure:
        err().print(f"[red]{escape(str(failure))}[/red]")
        sys.exit(int(failure.code))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
