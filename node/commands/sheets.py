"""``import``: a sheet of service hours, shown before it is taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from node import importing, tokens
from node.client import Api, ServiceRefused
from node.commands.options import DataOption, JsonOption, NodeOption, node_of
from node.importing import Batch, Result, Sheet
from node.layout import Node
from node.sheets import writing
from node.sheets.columns import COLUMNS
from node.sheets.tables import SheetIsUnreadable
from node.terminal import Exit, Failure, out, print_json, progress, say, table

# A token lives 15 minutes; a large sheet may take longer.
_TOKEN_SECONDS = 600.0


def import_sheet(
    file: Annotated[Path | None, typer.Argument(
        dir_okay=False, show_default=False, help=".xlsx 或 .csv(UTF-8、GB18030)")] = None,
    organisation: Annotated[str | None, typer.Option(
        "--organisation", "-o", help="记录单位编号 · the recorder's organisation id")] = None,
    actor: Annotated[str, typer.Option(
        "--as", help="导入人编号;断点续传须相同 · who imports; the same to go on after a cut"),
    ] = "importer",
    map: Annotated[list[str] | None, typer.Option(
        "--map", metavar="FIELD=HEADER", help="指定列 · e.g. --map hours=时长")] = None,
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
    if template is not None:
        writing.write_template(template)
        out().print(say(f"空表已写到 {template}", f"empty sheet written to {template}"))
        return
    if file is None or organisation is None:
        raise Failure(Exit.ASKED_WRONGLY, "需要文件和 --organisation",
                      "a file and --organisation are needed")
    found = node_of(node, data)
    read = _read(file, map or (), sheet, region)
    if not json:
        _show_sheet(read)
    with Api(found.api_url("records"), _renewing(found, actor, organisation, kind)) as api:
        batch = _open(api, read, organisation, kind, declared_minutes, decision)
        with progress(say("预演", "dry run"), len(read.rows), quiet=json) as step:
            rehearsed = batch.rehearse(read, lambda count: step(count))
        if not json:
            _show_result(say("预演(未写入)", "dry run, nothing written"), read, rehearsed)
        if dry_run or not _agreed(yes, json):
            if json:
                print_json(_as_json(batch, read, rehearsed, None, None))
            return
        with progress(say("导入", "importing"), len(read.rows), quiet=json) as step:
            result = batch.send(read, lambda count: step(count))
        closed = batch.close(read)
        held = batch.held()
    target = bad_rows or file.with_name(f"{file.stem}.to-correct.xlsx")
    count = importing.write_held(target, read, held)
    if json:
        print_json(_as_json(batch, read, result, closed, str(target) if count else None))
    else:
        _show_closed(batch, closed, target if count else None)
    if count:
        raise typer.Exit(Exit.FOUND_WRONG)


def _read(file: Path, given: list[str] | tuple[()], sheet: str | None,
          region: str | None) -> Sheet:
    pairs = {}
    for item in given:
        name, equals, header = item.partition("=")
        if not equals:
            raise Failure(Exit.ASKED_WRONGLY, f"--map 应为 字段=表头:{item}",
                          f"--map takes FIELD=HEADER: {item}")
        pairs[name.strip()] = header.strip()
    try:
        return importing.read(file, pairs, sheet=sheet, region=region)
    except SheetIsUnreadable as problem:
        raise Failure(Exit.ASKED_WRONGLY, problem.zh, problem.en) from None
    except OSError as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"无法打开 {file}:{problem.strerror}",
                      f"{file} cannot be opened: {problem.strerror}") from None


def _renewing(node: Node, actor: str, organisation: str, kind: str) -> Callable[[], str]:
    """A token for each request, made anew before it is too old."""
    made: list[tuple[float, str]] = []
    roles = [f"recorder@{organisation}"]
    if kind == "legacy":
        roles.append(f"city_reviewer/{node.code}")

    def give() -> str:
        now = time.monotonic()
        if not made or now - made[-1][0] > _TOKEN_SECONDS:
            made[:] = [(now, tokens.token(node, actor, roles))]
        return made[-1][1]

    return give


def _open(api: Api, sheet: Sheet, organisation: str, kind: str, declared: int | None,
          decision: str | None) -> Batch:
    try:
        return importing.open_batch(api, sheet, organisation, kind=kind,
                                    declared_minutes=declared, decision_id=decision)
    except ServiceRefused as refused:
        if refused.slug == "organisation-is-unknown":
            raise Failure(Exit.REFUSED, f"没有登记的单位 {organisation}",
                          f"no organisation {organisation} is registered") from None
        raise


def _agreed(yes: bool, json: bool) -> bool:
    if yes:
        return True
    if json or not sys.stdin.isatty():
        if not json:
            out().print(say("加 --yes 写入", "add --yes to take the sheet"))
        return False
    return typer.confirm(say("写入?", "take it?"))


def _show_sheet(sheet: Sheet) -> None:
    console = out()
    encoding = f" {sheet.table.encoding}" if sheet.table.encoding else ""
    console.print(f"[bold]{escape(sheet.path.name)}[/bold]{encoding} "
                  + say(f"{len(sheet.rows)} 行", f"{len(sheet.rows)} rows"))
    names = {column.field: say(column.zh, column.en) for column in COLUMNS}
    console.print(table(
        say("列", "columns"), [say("字段", "field"), say("表头", "header")],
        [(names[name], header) for name, header in sheet.headers().items()]))


def _show_result(title: str, sheet: Sheet, result: Result) -> None:
    count = result.count()
    out().print(f"[bold]{title}[/bold] " + ", ".join(
        f"{say(*_OUTCOMES[name])} {count[name]}" for name in _OUTCOMES if count[name])
        + say(f";{result.minutes()} 分钟", f"; {result.minutes()} minutes"))
    by_number = {row.row_no: row for row in sheet.rows}
    held = [answer for answer in result.outcomes.values() if answer["outcome"] == "held"]
    if not held:
        return
    rows = []
    for answer in held[:_SHOWN_ROWS]:
        line = by_number[answer["row_no"]].line.number
        for field, rule, zh, en in importing.problems_of(by_number, answer):
            rows.append((line, sheet.headers().get(field, field), rule, f"{zh}\n{en}"))
    out().print(table(say("问题行", "bad rows"), [
        say("行", "line"), say("列", "column"), say("规则", "rule"), "说明 explanation"], rows))
    if len(held) > _SHOWN_ROWS:
        out().print(say(f"…… 另有 {len(held) - _SHOWN_ROWS} 行",
                        f"… and {len(held) - _SHOWN_ROWS} more"))


_SHOWN_ROWS = 20
_OUTCOMES = {"imported": ("接收", "taken"), "repeat": ("重复", "repeats"), "held": ("扣下", "held"),
             "again": ("等待", "waiting")}


def _show_closed(batch: Batch, closed: dict[str, Any], target: Path | None) -> None:
    out().print(say(
        f"批次 {batch.batch_id} 已关闭:接收 {closed['imported']},重复 {closed['repeats']},"
        f"扣下 {closed['held']},共 {closed['minutes']} 分钟;等待另一人审核",
        f"batch {batch.batch_id} closed: {closed['imported']} taken, {closed['repeats']} repeats, "
        f"{closed['held']} held, {closed['minutes']} minutes; another person approves it"))
    if target is not None:
        out().print(say(f"问题行在 {target},更正后可再导入",
                        f"bad rows are in {target}: correct and import it"))


def _as_json(batch: Batch, sheet: Sheet, result: Result, closed: dict[str, Any] | None,
             target: str | None) -> dict[str, Any]:
    by_number = {row.row_no: row for row in sheet.rows}
    return {
        "batch_id": batch.batch_id, "resumed": batch.resumed, "dry_run": closed is None,
        "encoding": sheet.table.encoding or None, "columns": sheet.headers(),
        "rows": len(sheet.rows), "outcomes": dict(result.count()), "reasons":
            dict(result.reasons()), "minutes": result.minutes(), "closed": closed,
        "bad_rows": target,
        "held": [{
            "row_no": answer["row_no"], "line": by_number[answer["row_no"]].line.number,
            "problems": [dict(zip(("field", "rule", "zh", "en"), problem, strict=True))
                         for problem in importing.problems_of(by_number, answer)],
        } for answer in result.outcomes.values() if answer["outcome"] == "held"],
    }


