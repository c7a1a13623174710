"""``import``: which options has it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node.commands.options import DataOption, JsonOption, NodeOption, node_of
from node.terminal import Exit, Failure, out, say


def import_sheet(
    file: Annotated[Path | None, typer.Argument(
        dir_okay=False, show_default=False, help=".xlsx 或 .csv(UTF-8、GB18030)")] = None,
    organisation: Annotated[str | None, typer.Option(
        "--organisation", "-o", help="记录单位编号 · the recorder's organisation id")] = None,
    actor: Annotated[str, typer.Option(
        "--as", help="导入人编号;断点续传须相同 · who imports; the same to go on after a cut"),
    ] = "importer",
    map: Annotated[list[str] | None, typer.Option(
        "--map", metavar="FIELD=HEADER",
        help="指定列 · e.g. --map hours=时长, --map hours=column:D")] = None,
    kind: Annotated[str, typer.Option(
        help="spreadsheet | paper | legacy | national")] = "spreadsheet",
    decision: Annotated[str | None, typer.Option(
        help="历史数据的决定文号 · decision, for legacy")] = None,
    declared_minutes: Annotated[int | None, typer.Option(
        min=0, help="申报的总分钟数,关闭时核对 · declared sum, checked at closing")] = None,
    region: Annotated[str | None, typer.Option(
        help="没有地区列时的区划代码 · where it was, if no column says")] = None,
    sheet: Annotated[str | None, typer.Option(help="工作表名 · name of the sheet")] = None,
    bad_rows: Annotated[Path | None, typer.Option(
        dir_okay=False, show_default="FILE.to-correct.xlsx",
        help="问题行写到 · where bad rows go")] = None,
    dry_run: Annotated[bool, typer.Option(help="只预演 · show only")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="预演后直接导入 · do not ask")] = False,
    template: Annotated[Path | None, typer.Option(
        dir_okay=False, help="写一份空表 · write an empty sheet and end")] = None,
    node: NodeOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """导入服务时长表:先预演,再写入,问题行另存 · Import a sheet of hours: shown first, bad rows
    written apart.

    退出码 · exit code: 0 全部接收 all taken, 1 有问题行 some rows held, 4 拒绝 refused.
    """
    # Imported here: help and completion answer at once.
    if template is not None:
        from node.sheets.writing import write_template

        if template.suffix.lower() != ".xlsx":
            raise Failure(Exit.ASKED_WRONGLY, f"空表是 .xlsx 文件:{template}",
                          f"the template is an .xlsx file, not {template}")
        try:
            write_template(template)
        except OSError as problem:
            raise Failure(Exit.ASKED_WRONGLY, f"无法写入 {template}:{problem.strerror}",
                          f"{template} cannot be written: {problem.strerror}") from None
        out().print(say(f"空表已写到 {template}", f"empty sheet written to {template}"))
        return
    if file is None or organisation is None:
        raise Failure(Exit.ASKED_WRONGLY, "需要文件和 --organisation",
                      "a file and --organisation are needed")
    from node.commands import taking

    taking.run(taking.Wish(
        node=node_of(node, data), file=file, organisation=organisation, actor=actor,
        given=tuple(map or ()), kind=kind, decision=decision, declared_minutes=declared_minutes,
        region=region, sheet=sheet, bad_rows=bad_rows, dry_run=dry_run, yes=yes, json=json))
