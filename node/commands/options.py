"""Which options do many commands share, and how is the node they mean found?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node import layout
from node.layout import Node, NodeIsUnknown
from node.terminal import Exit, Failure

NodeOption = Annotated[str | None, typer.Option(
    "--node", "-n", metavar="CODE|DIR", envvar="JIEXU_HOME", show_default=False,
    help="节点代码或目录 · the node, by code or directory")]
DataOption = Annotated[Path | None, typer.Option(
    "--data", envvar="JIEXU_DATA", show_default="./data",
    help="节点所在目录 · where the nodes lie")]
JsonOption = Annotated[bool, typer.Option("--json", help="机器可读 · for scripts")]


def root_of(data: Path | None) -> Path:
    """Where the nodes lie."""
    return data.absolute() if data is not None else layout.data_root()


def node_of(name: str | None, data: Path | None) -> Node:
    """The node meant. Raises ``Failure``."""
    try:
        return layout.find(name, root_of(data))
    except NodeIsUnknown as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"找不到节点:{problem}", str(problem)) from None
