"""How does a node come to be, and how does it learn the directory?"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from node import keys
from node.directory import Office, read_entry
from node.layout import DEFAULT_BASE_PORT, Body, Node, nodes, write_whole

PORTS_PER_NODE = 100
OFFICE = "office"
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,30}")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")


class NodeCannotBeMade(Exception):
    """A code that is none, or a place that is taken."""


def make(root: Path, code: str, name: str, *, at: datetime, name_en: str | None = None,
         base_port: int | None = None, url: str | None = None, body: Body | None = None,
         contact: str = "ops@example.org", regions: Sequence[str] = (),
         office: Path | None = None) -> Node:
    """Make ``root/CODE``: settings, keys and the directory entry. Raises ``NodeCannotBeMade``.

    The directory is expected at the federation office of the same root until settings say
    otherwise. Addresses without https are of this machine alone: then private peers are allowed.
    """
    if not _CODE.fullmatch(code) or code == OFFICE:
        raise NodeCannotBeMade(f"{code} is no node code; a GB/T 2260 code such as 500000 is")
    if url is not None and not _URL.fullmatch(url):
        raise NodeCannotBeMade(f"no city could reach this node at {url or 'an empty address'}; "
                               "an address begins with https:// (http:// on one machine)")
    home = root / code
    if (home / "node.json").exists():
        raise NodeCannotBeMade(f"{home} is a node already")
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    seat = office or root / OFFICE
    node = Node(
        home=home, code=code, name_zh=name, name_en=name_en or name,
        base_port=base_port or _next_base_port(root),
        body=body or Body(organisation_id=f"{code}-office", name=f"{name}志愿服务管理机构"),
        directory=str((seat / "directory.json").absolute()),
        allow_private_peers=url is None or not url.startswith("https://"))
    # A wrong file is told before anything is made.
    keys.certificates_shown(node)
    keys.make(home)
    node.save()
    entry = keys.directory_entry(node, url or node.federation_url, at, operator=node.body.name,
                                 contact=contact, regions=regions or [code])
    write_whole(home / "entry.json", json.dumps(entry, indent=2, ensure_ascii=False))
    return node


def sign(root: Path, seat: Path, at: datetime, entries: Sequence[Path] = (),
         valid_days: int | None = None) -> dict[str, Any]:
    """Sign a directory of the entries named, else of every node under ``root``.

    The nodes under ``root`` that are listed pin the office's key and read its file.
    """
    files = list(entries) or [node.home / "entry.json" for node in nodes(root)]
    listed = [read_entry(path) for path in files]
    office = Office(seat)
    extra = {} if valid_days is None else {"valid_days": valid_days}
    signed = office.sign(listed, at, **extra)
    cities = {item["city"] for item in signed["body"]["nodes"]}
    for node in nodes(root):
        if node.code in cities:
            node.changed(directory=str(office.file.absolute()), directory_keys=(office.pin(),))
    return signed


def _next_base_port(root: Path) -> int:
    taken = [node.base_port for node in nodes(root)]
    return max(taken) + PORTS_PER_NODE if taken else DEFAULT_BASE_PORT
