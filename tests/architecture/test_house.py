"""Does the project keep the rules of its house, and does each check see its rule broken?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import house

ROOT = Path(__file__).parents[2]
Check = Callable[[Path], list[str]]

# Each check with a small tree that breaks it, and what it must say.
BREACHES: list[tuple[Check, dict[str, str], str]] = [
    (house.rooms, {"services/records/domain/x.py": ""}, "services/records lacks wiring.py"),
    (house.rooms, {"services/records/models/x.py": ""}, "a room of its own: models"),
    (house.rooms, {"services/registry/policies/x.py": ""}, "a room of its own: policies"),
    (house.rooms, {"services/insight/x.py": ""}, "insight is no service"),
    (house.impure_imports, {"services/records/domain/x.py": "import random"}, "imports random"),
    (house.impure_imports, {"services/records/domain/x.py": "import asyncpg"}, "imports asyncpg"),
    (
        house.impure_imports,
        {"services/records/domain/a/x.py": "from shared.ids import random_hex"},
        "imports shared.ids.random_hex",
    ),
    (
        house.impure_imports,
        {"services/records/domain/x.py": "from shared import postgres"},
        "imports shared.postgres",
    ),
    (
        house.impure_imports,
        {"services/records/domain/x.py": "import shared.clock"},
        "imports shared.clock",
    ),
    (
        house.impure_names,
        {"services/records/domain/x.py": "a = datetime.now(UTC)"},
        "uses now",
    ),
    (house.impure_names, {"services/records/domain/x.py": "i = uuid.uuid4()"}, "uses uuid4"),
    (house.impure_names, {"services/records/domain/x.py": "e = os.environ"}, "uses environ"),
    (house.impure_names, {"services/records/domain/x.py": "async def f(): ..."}, "waits"),
    (
        house.borders,
        {"services/records/edge/x.py": "from services.registry.domain import y"},
        "services share a language",
    ),
    (
        house.borders,
        {"services/records/domain/x.py": "from services.records.edge.store import y"},
        "the domain knows no other room",
    ),
    (
        house.borders,
        {"services/records/contract/x.py": "import services.records.edge.store"},
        "a contract does not depend on the edge",
    ),
    (
        house.borders,
        {"services/records/edge/x.py": "from services.records.wiring import assemble"},
        "only __main__ knows the wiring",
    ),
    (house.borders, {"services/records/edge/x.py": "import node.kafka"}, "does not know its node"),
    (house.borders, {"shared/x.py": "from services.records import y"}, "shared knows nobody"),
    (house.borders, {"shared/x.py": "from tests.support import y"}, "tests are not for production"),
    (house.borders, {"node/x.py": "from services.records import wiring"}, "a node runs services"),
    (house.borders, {"node/x.py": "from . import y"}, "imports are written whole"),
    (house.shared_is_closed, {"shared/helpers2.py": ""}, "not on the closed list"),
    (house.shared_is_closed, {"shared/ids.py": "def dossier_id(): ..."}, "a noun of ours"),
    (house.questions, {"shared/ids.py": '"""Ids."""'}, "does not open with the question"),
    (house.questions, {"node/x.py": "a = 1"}, "has no docstring"),
    (house.built_at_import, {"node/x.py": "app.add(1)"}, "calls something for its effect"),
    (house.built_at_import, {"shared/x.py": "app = FastAPI()"}, "makes FastAPI"),
    (
        house.built_at_import,
        {"shared/x.py": "class A:\n    text = Path('x').read_text()"},
        "makes read_text",
    ),
    (house.sizes_and_names, {"shared/x.py": "a = 1\n" * 401}, "has 401 lines"),
    (house.sizes_and_names, {"node/helpers.py": ""}, "named after nothing"),
    (house.sizes_and_names, {"node/common/x.py": ""}, "named after nothing"),
    (house.forbidden_words, {"docs/x.md": "see /wor\x6b/shared"}, "says /wor\x6b/"),
    (house.forbidden_words, {"a.toml": "https://pypi\x2eorg/simple"}, "says pypi\x2eorg"),
    (house.forbidden_words, {"x.py": "'..\x2fshared/data'"}, "says ..\x2fshared"),
]


@pytest.mark.parametrize("check", list(dict.fromkeys(check for check, _, _ in BREACHES)))
def test_the_project_keeps_its_house(check: Check) -> None:
    found = check(ROOT)
    assert not found, f"{check.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("check", "tree", "said"), BREACHES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_each_check_sees_its_rule_broken(
    tmp_path: Path, check: Check, tree: dict[str, str], said: str
) -> None:
    for folder in ("services", "shared", "node"):
        (tmp_path / folder).mkdir()
    for name, text in tree.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    found = check(tmp_path)
    assert any(said in line for line in found), found


def test_what_a_domain_may_import_is_allowed(tmp_path: Path) -> None:
    for folder in ("services/records/domain", "shared", "node"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "services/records/domain/x.py").write_text(
        "from __future__ import annotations\nimport uuid\nfrom datetime import date\n"
        "from shared import merkle\nfrom shared.clock import wire\nfrom shared.ids import ulid\n"
        "from shared.messages import Command\nfrom services.records.domain.y import z\n"
        "a = uuid.uuid5(b, c)\n",
        "utf-8",
    )
    assert house.impure_imports(tmp_path) == house.impure_names(tmp_path) == []
    assert house.borders(tmp_path) == []


def test_the_pure_modules_are_of_the_standard_library() -> None:
    assert house.stdlib_is_pure(house.PURE_STDLIB) == []


# Importing everything must open no socket, start no process or thread, and write no file. What
# other people's packages do when they are imported is theirs.
WATCH = """
import pkgutil, importlib, sys, threading

def theirs():
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if "site-packages" in name:
            return True
        if not name.startswith("<frozen") and "/lib/python3" not in name:
            return False
        frame = frame.f_back
    return False

def watch(event, arguments):
    told = None
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir"):
        told = event
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        told = f"{arguments[0]} was opened to write"
    if told and not theirs():
        raise SystemExit(f"{told} while importing {name}")

sys.addaudithook(watch)
for package in sys.argv[1:]:
    name = package
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, package + "."):
        name = found.name
        if not name.endswith("__main__") and ".migrations" not in name:
            importlib.import_module(name)
name = "nothing"
if threading.active_count() > 1:
    raise SystemExit(f"threads run after importing: {threading.enumerate()}")
"""


def _import_all(directory: Path, *packages: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WATCH, *packages],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_importing_the_whole_project_does_nothing() -> None:
    done = _import_all(ROOT, "shared", "services", "node")
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import socket\nsocket.create_server(('127.0.0.1', 0))", "socket.bind"),
        ("open('left.txt', 'w')", "opened to write"),
        ("import subprocess\nsubprocess.run(['true'])", "subprocess.Popen"),
        ("from threading import Event, Thread\nThread(target=Event().wait, daemon=True).start()",
         "threads run"),
    ],
)
def test_an_import_that_does_something_is_seen(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/__init__.py").write_text("", "utf-8")
    (tmp_path / "toy/x.py").write_text(body, "utf-8")
    done = _import_all(tmp_path, "toy")
    assert done.returncode != 0
    assert said in done.stderr
