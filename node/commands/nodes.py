"""``init``, ``directory sign``, ``up``, ``down``: a node comes to be, starts and stops."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from stdnum import numdb

from node import control, making, supervisor
from node.commands.options import DataOption, JsonOption, NodeOption, node_of, root_of
from node.control import NodeDidNotStart, NodeDidNotStop
from node.directory import DirectoryIsWrong
from node.kafka_jars import JarsDiffer, class_path
from node.layout import SERVICES, Node
from node.supervisor import AlreadyRuns, Supervisor
from node.terminal import Exit, Failure, err, out, print_json, progress, say


def _is_region(code: str) -> bool:
    """Six digits in a province that there is; counties come and go: the rest is taken as said."""
    if not (len(code) == 6 and code.isascii() and code.isdecimal()):
        return False
    (_, of_province), *_ = numdb.get("cn/loc").info(code)
    return "province" in of_province


def init(
    code: Annotated[str, typer.Argument(help="GB/T 2260 区划代码 · region code, 500000")],
    name: Annotated[str, typer.Argument(help="城市名称 · the city's name, 重庆")],
    name_en: Annotated[str | None, typer.Option(help="英文名称 · English name")] = None,
    base_port: Annotated[int | None, typer.Option(
        min=1024, max=65_000, help="占用 +1…+40 端口 · takes ports +1 … +40")] = None,
    url: Annotated[str | None, typer.Option(
        help="其他城市访问本节点的地址 · where other cities reach it (https)")] = None,
    contact: Annotated[str, typer.Option(help="运维联系方式 · whom to write to")] =
        "ops@example.org",
    region: Annotated[list[str] | None, typer.Option(
        help="辖区代码,可多次 · regions it answers for")] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """新建节点:密钥(0400)、设置、名录条目 · Make a node: keys, settings, directory entry."""
    if not _is_region(code):
        raise Failure(Exit.ASKED_WRONGLY, f"{code} 不是 GB/T 2260 区划代码,应为六位数字,如 500000",
                      f"{code} is no GB/T 2260 code: six digits that begin with a province's, "
                      "such as 500000")
    if not name.strip():
        raise Failure(Exit.ASKED_WRONGLY, "城市名称不能为空", "the city's name is empty")
    try:
        node = making.make(root_of(data), code, name.strip(), at=datetime.now(UTC), name_en=name_en,
                           base_port=base_port, url=url, contact=contact, regions=region or ())
    except making.NodeCannotBeMade as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"无法新建节点:{problem}", str(problem)) from None
    if json:
        print_json({"code": node.code, "home": str(node.home), "base_port": node.base_port,
                    "entry": str(node.home / "entry.json")})
        return
    out().print(say(
        f"节点 {node.code} 已建于 {node.home}\n下一步:jiexu directory sign,然后 jiexu up -n {code}",
        f"node {node.code} made in {node.home}\n"
        f"next: jiexu directory sign, then jiexu up -n {code}"))


def directory_sign(
    entries: Annotated[list[Path] | None, typer.Argument(
        exists=True, dir_okay=False, show_default=False,
        help="各节点的 entry.json;缺省为本机所有节点 · entries; default: all nodes here")] = None,
    office: Annotated[Path | None, typer.Option(
        show_default="DATA/office", help="联盟办公室目录 · the office's directory")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="有效天数 · valid for")] = 180,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """签署静态名录 · Sign the static directory (one key; production asks for two of three)."""
    root = root_of(data)
    try:
        signed = making.sign(root, office or root / "office", datetime.now(UTC), entries or (),
                             days)
    except DirectoryIsWrong as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"名录有误:{problem}", str(problem)) from None
    body = signed["body"]
    if json:
        print_json({"file": str((office or root / "office") / "directory.json"),
                    "serial": body["serial"], "expires_at": body["expires_at"],
                    "nodes": [entry["city"] for entry in body["nodes"]]})
        return
    names = ", ".join(f"{entry['city']} {entry['name_zh']}" for entry in body["nodes"])
    out().print(say(f"名录第 {body['serial']} 版已签署:{names};有效至 {body['expires_at']}",
                    f"directory serial {body['serial']} signed: {names}; until "
                    f"{body['expires_at']}"))


def up(
    node: NodeOption = None,
    data: DataOption = None,
    foreground: Annotated[bool, typer.Option(
        help="留在前台,Ctrl-C 停止 · stay; Ctrl-C stops")] = False,
    infrastructure: Annotated[bool, typer.Option(
        help="只启动 Kafka 和 PostgreSQL · Kafka and PostgreSQL alone")] = False,
    json: JsonOption = False,
) -> None:
    """启动节点,就绪后返回 · Start a node; returns when every service is ready.

    未就绪前中断即停止全部进程 · interrupted before that, it stops all it started.
    """
    found = node_of(node, data)
    services = () if infrastructure else SERVICES
    if supervisor.is_held(found):
        raise Failure(Exit.NODE_STATE, f"节点 {found.code} 已在运行", f"node {found.code} runs")
    if services and not Path(found.directory).is_file():
        raise Failure(
            Exit.ASKED_WRONGLY, f"还没有名录 {found.directory}:先运行 jiexu directory sign",
            f"there is no directory {found.directory} yet: run jiexu directory sign first")
    try:
        with _Signals() as signals:
            _fetch_jars(json)
            if foreground:
                _stay(found, services)
            else:
                _start(found, services, signals, json)
    except _Interrupted as interrupted:
        err().print(say(f"节点 {found.code} 未就绪即被中断,没有进程留下",
                        f"node {found.code} was interrupted before it was ready; nothing of it "
                        "runs"))
        raise typer.Exit(128 + interrupted.number) from None


class _Interrupted(Exception):
    """SIGINT or SIGTERM, before the node was ready."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Signals:
    """SIGINT and SIGTERM of ``up``: while nothing runs yet they end it, afterwards they are noted.

    A shell has its background jobs ignore SIGINT; here it is heeded all the same.
    """

    def __init__(self) -> None:
        self.noting = False
        self._noted: list[int] = []
        self._seen = 0

    def check(self) -> None:
        """Raises ``_Interrupted`` once a signal has been noted."""
        if self.more():
            raise _Interrupted(self._noted[0])

    def more(self) -> bool:
        """Whether another signal was noted since this was asked last."""
        seen, self._seen = self._seen, len(self._noted)
        return self._seen > seen

    def __enter__(self) -> _Signals:
        self._before = {number: signal.signal(number, self._take)
                        for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if not self.noting:
            raise _Interrupted(number)
        self._noted.append(number)


def _stay(found: Node, services: Sequence[str]) -> None:
    """Supervise here, until a signal; the supervisor has handlers of its own."""
    try:
        code = Supervisor(found, lambda text: out().print(text), services=services).run()
    except AlreadyRuns as problem:
        raise Failure(Exit.NODE_STATE, str(problem), str(problem)) from None
    raise typer.Exit(Exit.NODE_STATE if code else Exit.DONE)


def _start(found: Node, services: Sequence[str], signals: _Signals, json: bool) -> None:
    """Start a supervisor in the background, and wait until the node is ready."""
    signals.noting = True
    process = control.start(found, services)

    def exit_code() -> int | None:
        signals.check()
        return process.poll()

    try:
        with progress(say("正在启动", "starting"), 2 + len(services), quiet=json) as step:
            def show(state: dict[str, Any]) -> None:
                rows = state.get("processes", [])
                waiting = [row["name"] for row in rows if not row["ready"]]
                step(len(rows) - len(waiting), text=" ".join(waiting) or None)

            state = control.wait_until_ready(found, exit_code, show)
    except _Interrupted:
        _end(process, signals)
        raise
    except NodeDidNotStart as problem:
        _end(process, signals)
        raise Failure(Exit.NODE_STATE, f"节点 {found.code} 未能启动:{problem}",
                      f"node {found.code} did not start: {problem}") from None
    if json:
        print_json(state)
    else:
        for name in services:
            out().print(f"{name:9} {found.api_url(name)}/docs")
    if state["problem"]:
        raise Failure(
            Exit.NODE_STATE,
            f"节点 {found.code} 已启动,但数据库是恢复的旧副本,只能读取({state['problem']});"
            "参见 docs/operators.md 的 Backup and restore",
            f"node {found.code} runs and only reads, for its database was restored "
            f'({state["problem"]}); see "Backup and restore" in docs/operators.md')


def _end(process: subprocess.Popen[bytes], signals: _Signals) -> None:
    try:
        control.end(process, signals.more)
    except NodeDidNotStop as problem:
        raise Failure(Exit.NODE_STATE, str(problem), str(problem)) from None


def down(node: NodeOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """停止节点 · Stop a node; its data stay."""
    found = node_of(node, data)
    try:
        with progress(say("正在停止", "stopping"), quiet=json):
            stopped = control.stop(found)
    except NodeDidNotStop as problem:
        raise Failure(Exit.NODE_STATE, str(problem), str(problem)) from None
    if json:
        print_json({"code": found.code, "stopped": stopped})
        return
    out().print(say(f"节点 {found.code} 已停止", f"node {found.code} stopped") if stopped else
                say(f"节点 {found.code} 没有在运行", f"node {found.code} was not running"))


def demo(
    stop: Annotated[bool, typer.Option("--exit", help="讲完即停 · stop after the story")] = False,
    data: Annotated[Path, typer.Option(
        "--data", file_okay=False, help="每次重建 · made anew at each run")] = Path("data/demo"),
    json: JsonOption = False,
) -> None:
    """两座城市的故事,每句都核对 · Two cities, one volunteer, every sentence checked.

    --json: 故事讲完时输出核对结果,讲述写到标准错误 · the checks once it is told; the story itself
    goes to standard error.

    退出码 · exit code: 1 有检查未通过 a check failed.
    """
    from node.demo.__main__ import main

    raise typer.Exit(main([*(["--exit"] if stop else []), *(["--json"] if json else []),
                           "--data", str(data)]))


def _fetch_jars(quiet: bool) -> None:
    """Bring Kafka's jars where they are not there yet, with a bar."""
    try:
        with progress(say("核对 Kafka 程序包", "checking Kafka's jars"), quiet=quiet) as step:
            class_path(lambda: step(0, text=say("下载 Kafka 4.3.1(约 45 MB)",
                                                "fetching Kafka 4.3.1 (45 MB)")))
    except (JarsDiffer, OSError, RuntimeError) as problem:
        raise Failure(Exit.UNAVAILABLE, f"Kafka 程序包不可用:{problem}",
                      f"Kafka's jars are not to be had: {problem}") from None
