"""``backup``: what of a node must be kept apart from it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from node.commands.options import DataOption, JsonOption, NodeOption, node_of
from node.terminal import Exit, Failure, out, print_json, say

# What takes long to import is imported where it is used: help and completion answer at once.


def backup(
    directory: Annotated[Path, typer.Argument(
        file_okay=False, help="备份目录(新建或空)· a new or empty directory")],
    check: Annotated[bool, typer.Option(
        "--check", help="只核对已有备份 · only verify a backup that is there")] = False,
    node: NodeOption = None, data: DataOption = None, json: JsonOption = False,
) -> None:
    """备份数据库和位点;密钥另行保管 · Back up database and offsets; keys are kept apart.

    节点照常运行 · the node goes on meanwhile. 恢复 · to restore: docs/operators.md.
    """
    from node import backup as backups

    try:
        manifest = backups.check(directory) if check else _take(directory, node, data)
    except backups.BackupIsWrong as wrong:
        raise Failure(Exit.FOUND_WRONG, f"备份不完整:{wrong.zh}", wrong.en) from None
    except backups.CannotBackUp as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"无法备份:{problem.zh}", problem.en) from None
    if json:
        print_json(manifest)
    elif check:
        out().print(say(f"备份完好:节点 {manifest['node']},{manifest['at']}",
                        f"the backup is whole: node {manifest['node']}, {manifest['at']}"))
    else:
        out().print(say(f"节点 {manifest['node']} 已备份至 {directory}",
                        f"node {manifest['node']} is backed up in {directory}"))


def _take(directory: Path, node: str | None, data: Path | None) -> dict[str, Any]:
    import asyncpg
    from kafka.errors import KafkaError

    from node import backup as backups
    from node.broker import answering
    from shared.postgres import is_outage

    found = node_of(node, data)
    if not (found.home / "postgres").is_dir():
        raise Failure(
            Exit.NODE_STATE,
            f"节点 {found.code} 的数据库不在本机:jiexu backup 只用于 jiexu up 启动过的节点;"
            '在容器中请用 pg_dump,参见 docs/operators.md 的 "Backup and restore"',
            f"node {found.code} keeps no database here: jiexu backup is of a node that jiexu up "
            'has started; in containers use pg_dump, see "Backup and restore" in '
            "docs/operators.md")
    away = Failure(Exit.NODE_STATE, f"节点 {found.code} 未运行:先 jiexu up",
                   f"node {found.code} does not run: jiexu up first")
    try:
        answering(found)
    except Failure as problem:
        raise away if problem.code is Exit.NODE_STATE else problem from None
    try:
        with _terminated_as_interrupted():
            return backups.take(found, directory.absolute(), datetime.now(UTC))
    except (ConnectionError, TimeoutError, KafkaError):
        raise away from None
    except asyncpg.PostgresError as problem:
        if is_outage(problem):
            raise away from None
        said = type(problem).__name__
        raise Failure(Exit.NODE_STATE, f"数据库答复 {said}:用 jiexu doctor 查明原因",
                      f"the database answers {said}: jiexu doctor says what is missing") from None
    except OSError as problem:
        said = f"{problem.filename}: {problem.strerror}"
        raise Failure(Exit.UNAVAILABLE, f"无法读写:{said}",
                      f"cannot be read or written: {said}") from None


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM raises, as Ctrl-C does: what was begun is removed, the next try is not refused."""
    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
