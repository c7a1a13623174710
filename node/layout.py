"""Where does a node keep what, on which ports does it listen, and how do its services learn it?

    data/500000/            a node's home, named by its GB/T 2260 code
      node.json             settings: names, ports, the body that runs it, its directory
      entry.json            what it asks the federation office to put into the node directory
      keys/<service>/       private keys, 0400; keys/public/ what the others may know of them
      kafka/ postgres/      the embedded broker's and server's data
      logs/                 a file per process
      run/                  the supervisor's lock and state
    data/office/            the federation office: its key and the signed directory
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

# In the order of their start; they stop in the reverse order.
SERVICES = ("registry", "records", "rewards", "transfer")
# Offsets from a node's base port. A node takes base+1 … base+40; the next may begin at base+100.
API = {"registry": 1, "records": 2, "transfer": 3, "rewards": 4}
INTERNAL = {"registry": 11, "records": 12, "transfer": 13, "rewards": 14}
FEDERATION, KAFKA, KAFKA_CONTROLLER, POSTGRES = 23, 30, 31, 40
DEFAULT_BASE_PORT = 18000
DATABASE = "jiexu"


class NodeIsUnknown(Exception):
    """No such node, or several and none was named; the text says which there are."""


class NodeIsWrong(NodeIsUnknown):
    """A node whose ``node.json`` is broken; the text says where and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The body that runs the node: the recorder of what no person decides."""

    organisation_id: str
    name: str
    kind: str = "public_service_body"
    uscc: str | None = None
    filing_office: str | None = None
    filing_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One city's node on this machine, as ``node.json`` has it. ``home`` is where it lies."""

    home: Path
    code: str
    name_zh: str
    name_en: str
    base_port: int
    body: Body
    directory: str
    directory_keys: tuple[str, ...] = ()
    allow_private_peers: bool = False
    # More settings for the services, as environment variables: JIEXU_… → value.
    extra: Mapping[str, str] = field(default_factory=dict)

    def port(self, offset: int) -> int:
        """The port at this offset of the node's range."""
        return self.base_port + offset

    def api_url(self, service: str) -> str:
        """Where people and programs reach the service."""
        return f"http://127.0.0.1:{self.port(API[service])}"

    def internal_url(self, service: str) -> str:
        """Where the node's other services reach it; health and metrics too."""
        return f"http://127.0.0.1:{self.port(INTERNAL[service])}"

    @property
    def federation_url(self) -> str:
        """Where other cities reach this one."""
        return f"http://127.0.0.1:{self.port(FEDERATION)}"

    @property
    def bootstrap(self) -> str:
        """The node's broker."""
        return f"127.0.0.1:{self.port(KAFKA)}"

    @property
    def keys(self) -> Path:
        """The root of the key files."""
        return self.home / "keys"

    @property
    def logs(self) -> Path:
        """A file per process."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """The supervisor's lock and state."""
        return self.home / "run"

    def ports(self) -> dict[str, int]:
        """Every port by the name of what listens there."""
        ports = {f"{name} api": self.port(API[name]) for name in SERVICES}
        ports |= {f"{name} internal": self.port(INTERNAL[name]) for name in SERVICES}
        return ports | {
            "transfer federation": self.port(FEDERATION), "kafka": self.port(KAFKA),
            "kafka controller": self.port(KAFKA_CONTROLLER), "postgres": self.port(POSTGRES)}

    def environment(self, service: str, database_url: str) -> dict[str, str]:
        """The settings of one service, as ``shared.settings`` reads them (prefix ``JIEXU_``)."""
        settings = {
            "NODE": self.code,
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "KEYS": str(self.keys / service),
            "PUBLIC_KEYS": str(self.keys / "public"),
            "API_HOST": "127.0.0.1", "API_PORT": str(self.port(API[service])),
            "INTERNAL_HOST": "127.0.0.1", "INTERNAL_PORT": str(self.port(INTERNAL[service])),
            "TOPIC_REPLICATION": "1",
            "DIRECTORY": self.directory,
            "DIRECTORY_KEYS": ",".join(self.directory_keys),
            "ALLOW_PRIVATE_PEERS": "true" if self.allow_private_peers else "false",
            "BODY_ORGANISATION_ID": self.body.organisation_id,
            "BODY_NAME": self.body.name,
            "BODY_KIND": self.body.kind,
        }
        if self.body.uscc is not None:
            settings["BODY_USCC"] = self.body.uscc
        for name in SERVICES:
            settings[f"{name.upper()}_INTERNAL_URL"] = self.internal_url(name)
        if service == "transfer":
            settings |= {"FEDERATION_HOST": "127.0.0.1",
                         "FEDERATION_PORT": str(self.port(FEDERATION))}
        return {f"JIEXU_{name}": value for name, value in settings.items()} | dict(self.extra)

    def save(self) -> None:
        """Write ``node.json``, whole or not at all."""
        values: dict[str, Any] = {key: value for key, value in asdict(self).items()
                                  if key != "home"}
        write_whole(self.home / "node.json", json.dumps(values, indent=2, ensure_ascii=False))

    def changed(self, **changes: Any) -> Node:
        """The same node with other settings, saved."""
        node = replace(self, **changes)
        node.save()
        return node


def load(home: Path) -> Node:
    """The node that lies in ``home``. Raises ``NodeIsUnknown``, ``NodeIsWrong``."""
    path = home / "node.json"
    if not path.is_file():
        raise NodeIsUnknown(f"{home} is no node: {path.name} is missing")
    try:
        values = json.loads(path.read_text("utf-8"))
        values["body"] = Body(**values["body"])
        values["directory_keys"] = tuple(values["directory_keys"])
        return Node(home=home.absolute(), **values)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise NodeIsWrong(f"{path} does not hold the settings of a node ({problem}): put it back "
                          "from settings/ of a backup") from None


def data_root() -> Path:
    """Where nodes lie unless a command says otherwise: ``JIEXU_DATA``, else ``./data``."""
    return Path(os.environ.get("JIEXU_DATA", "data")).absolute()


def nodes(root: Path) -> list[Node]:
    """Every node under ``root``, by code."""
    return [load(path.parent) for path in sorted(root.glob("*/node.json"))]


def find(name: str | None, root: Path | None = None) -> Node:
    """The node of this code or directory; without a name the only one. Raises ``NodeIsUnknown``."""
    root = root or data_root()
    if name is not None:
        if os.sep in name or (Path(name) / "node.json").is_file():
            return load(Path(name))
        return load(root / name)
    found = nodes(root)
    if len(found) == 1:
        return found[0]
    codes = ", ".join(node.code for node in found)
    raise NodeIsUnknown(
        f"which node? --node takes one of: {codes}" if found
        else f"there is no node under {root}: `jiexu init CODE NAME` makes one")


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, sees the old text or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "w",
                   encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
