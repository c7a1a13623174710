"""How is a sheet shown, agreed to, taken, and its bad rows written apart?"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from node import importing, tokens
from node.client import Api, ServiceRefused
from node.importing import Batch, Result, Sheet
from node.layout import Node
from node.sheets.columns import COLUMNS
from node.sheets.tables import SheetIsUnreadable
from node.terminal import Exit, Failure, out, print_json, progress, say, table

# A token lives 15 minutes; a large sheet may take longer.
_TOKEN_SECONDS = 600.0
_SHOWN_ROWS = 20
_OUTCOMES = {"imported": ("接收", "taken"), "repeat": ("重复", "repeats"), "held": ("扣下", "held"),
             "again": ("等待", "waiting")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What ``jiexu import`` was asked."""

    node: Node
    file: Path
    organisation: str
    actor: str
    given: Sequence[str]
    kind: str
    decision: str | None
    declared_minutes: int | None
    region: str | None
    sheet: str | None
    bad_rows: Path | None
    dry_run: bool
    yes: bool
    json: bool


def run(wish: Wish) -> None:
    """Show, ask, take. Raises ``Failure``; ``typer.Exit`` 1 where rows were held."""
    read = _read(wish)
    if not wish.json:
        _show_sheet(read)
    renewing = _renewing(wish)
    with Api(wish.node.api_url("records"), renewing) as api:
        batch = _open(api, read, wish)
        with progress(say("预演", "dry run"), len(read.rows), quiet=wish.json) as step:
            rehearsed = batch.rehearse(read, lambda count: step(count))
        if not wish.json:
            _show_result(say("预演(未写入)", "dry run, nothing written"), read, rehearsed)
        if wish.dry_run or not _agreed(wish):
            if wish.json:
                print_json(_as_json(batch, read, rehearsed, None, None))
            return
        with progress(say("导入", "importing"), len(read.rows), quiet=wish.json) as step:
            result = batch.send(read, lambda count: step(count))
        closed = batch.close(read)
        held = batch.held()
    target = wish.bad_rows or wish.file.with_name(f"{wish.file.stem}.to-correct.xlsx")
    count = importing.write_held(target, read, held)
    if wish.json:
        print_json(_as_json(batch, read, result, closed, str(target) if count else None))
    else:
        _show_closed(batch, closed, target if count else None)
    if count:
        raise typer.Exit(Exit.FOUND_WRONG)


def _read(wish: Wish) -> Sheet:
    pairs = {}
    for item in wish.given:
        name, equals, header = item.partition("=")
        if not equals:
            raise Failure(Exit.ASKED_WRONGLY, f"--map 应为 字段=表头:{item}",
                          f"--map takes FIELD=HEADER: {item}")
        if name.strip() in pairs:
            raise Failure(Exit.ASKED_WRONGLY, f"--map 两次指定了 {name.strip()}",
                          f"--map says twice which column is {name.strip()}")
        pairs[name.strip()] = header.strip()
    try:
        return importing.read(wish.file, pairs, sheet=wish.sheet, region=wish.region)
    except SheetIsUnreadable as problem:
        raise Failure(Exit.ASKED_WRONGLY, problem.zh, problem.en) from None
    except OSError as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"无法打开 {wish.file}:{problem.strerror}",
                      f"{wish.file} cannot be opened: {problem.strerror}") from None


def _renewing(wish: Wish) -> Callable[[], str]:
    """A token for each request, made anew before it is too old."""
    made: list[tuple[float, str]] = []
    roles = [f"recorder@{wish.organisation}"]
    if wish.kind == "legacy":
        roles.append(f"city_reviewer/{wish.node.code}")

    def give() -> str:
        now = time.monotonic()
        if not made or now - made[-1][0] > _TOKEN_SECONDS:
            made[:] = [(now, tokens.token(wish.node, wish.actor, roles))]
        return made[-1][1]

    return give


def _open(api: Api, sheet: Sheet, wish: Wish) -> Batch:
    try:
        return importing.open_batch(api, sheet, wish.organisation, kind=wish.kind,
                                    declared_minutes=wish.declared_minutes,
                                    decision_id=wish.decision)
    except ServiceRefused as refused:
        if refused.slug == "organisation-is-unknown":
            raise Failure(Exit.REFUSED, f"没有登记的单位 {wish.organisation}",
                          f"no organisation {wish.organisation} is registered") from None
        raise


def _agreed(wish: Wish) -> bool:
    if wish.yes:
        return True
    if wish.json or not sys.stdin.isatty():
        if not wish.json:
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
    held = [answer for answer in result.outcomes.values() if answer["outcome"] == "held"]
    if not held:
        return
    rows = []
    for answer in held[:_SHOWN_ROWS]:
        line = sheet.row(answer["row_no"]).line.number
        for field, rule, zh, en in importing.problems_of(sheet, answer):
            rows.append((line, sheet.header(field), rule, f"{zh}\n{en}"))
    out().print(table(say("问题行", "bad rows"), [
        say("行", "line"), say("列", "column"), say("规则", "rule"), "说明 explanation"], rows))
    if len(held) > _SHOWN_ROWS:
        out().print(say(f"…… 另有 {len(held) - _SHOWN_ROWS} 行",
                        f"… and {len(held) - _SHOWN_ROWS} more"))


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
    return {
        "batch_id": batch.batch_id, "resumed": batch.resumed, "dry_run": closed is None,
        "encoding": sheet.table.encoding or None, "columns": sheet.headers(),
        "rows": len(sheet.rows), "outcomes": dict(result.count()), "reasons":
            dict(result.reasons()), "minutes": result.minutes(), "closed": closed,
        "bad_rows": target,
        "held": [{
            "row_no": answer["row_no"], "line": sheet.row(answer["row_no"]).line.number,
            "problems": [dict(zip(("field", "rule", "zh", "en"), problem, strict=True))
                         for problem in importing.problems_of(sheet, answer)],
        } for answer in result.outcomes.values() if answer["outcome"] == "held"],
    }
