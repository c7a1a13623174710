"""Which rules does the tree of the project keep? Each check takes a root and returns what is wrong.

The tests of ``tests/architecture`` run every check on the project and, on a small tree with the
rule broken, see it find the breach.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SERVICES = ("registry", "records", "transfer", "rewards")
ROOMS = ("domain", "contract", "edge")
FILES = ("README.md", "__init__.py", "__main__.py", "settings.py", "wiring.py")
# Furniture without code that only one service has: the policy packs that registry publishes.
DATA_FOLDERS = {"registry": frozenset({"policies"})}

SHARED = _words(
    "ids clock settings problems envelope canonical signing merkle working_days postgres "
    "ledger relay reader faust_reader loop_reader jobs auth internal_http telemetry messages "
    "requests roles access"
)
SHARED_DATA = frozenset({"working_calendar.yaml", "variables.txt"})
NOUNS = re.compile(r"dossier|volunteer|transfer|certificate|reward|redemption|star(?![tev])", re.I)

# What a domain may take from shared; None: everything there is.
PURE_SHARED: dict[str, frozenset[str] | None] = {
    "messages": None,
    "canonical": None,
    "merkle": None,
    "ids": frozenset(
        {
            *("request_command_id", "fact_command_id", "job_id", "job_command_id"),
            *("row_command_id", "event_id", "ulid", "command_ulid", "ulid_time"),
        }
    ),
    "clock": frozenset({"SHANGHAI", "wire", "wire_exact", "read", "local_day"}),
    "working_days": frozenset({"Calendar", "YearIsUnknown", "nth_weekday_after", "ONE_DAY"}),
}
PURE_STDLIB = _words(
    "__future__ abc array base64 bisect calendar collections contextlib copy dataclasses "
    "datetime decimal enum fractions functools hashlib heapq hmac itertools json math "
    "operator re string textwrap types typing unicodedata uuid zoneinfo"
)
IMPURE_NAMES = _words(
    "now utcnow today monotonic perf_counter time_ns uuid1 uuid4 urandom token_hex "
    "token_bytes random_hex getenv environ getLogger get_logger print open input eval exec "
    "breakpoint __import__ globals sleep load_calendar"
)
BUILDERS = _words(
    "FastAPI App Database Ledger Reader Relay Jobs Producer Consumer AIOKafkaConsumer "
    "KafkaAdminClient AsyncClient Client connect create_pool create_engine Thread "
    "ThreadPoolExecutor Popen Runner run_until_complete Metrics CollectorRegistry "
    "SystemClock Settings ServiceSettings open read_text read_bytes load_calendar "
    "get_event_loop"
)
BARE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"})
MAX_LINES = 400
# A machine's own paths, a neighbouring folder that the reader has not, hosts of registries. Spelt
# so that no pattern finds itself: then no file needs to be excused, this one neither.
FORBIDDEN = re.compile(
    r"(?<![\w.])/wor[k]/|/tmp/de[v]|\.\./share[d]|/roo[t]/|/hom[e]/\w+/"
    r"|pypi\.org|pythonhosted\.org|(?:repo1?\.)?maven\.(?:org|apache)|npmjs\.(?:org|com)"
    r"|crates\.io|proxy\.golang"
)
TEXT = _words("py md toml yaml yml json jsonl csv txt sql sh html css js mako ini cfg") | {""}


def files(root: Path) -> list[Path]:
    """The project's files: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = filter(None, listed.stdout.decode("utf-8").split("\0"))
        return sorted(root / name for name in names if (root / name).is_file())
    hidden = re.compile(r"(^|/)(\.|__pycache__|build/)")
    found = (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if not hidden.search(str(path.relative_to(root))))


def modules(root: Path, *under: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python module of these folders with its syntax tree."""
    for folder in under:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root), ast.parse(path.read_text("utf-8"))


def rooms(root: Path) -> list[str]:
    """Every service has the same rooms and files, and no other."""
    wrong = []
    for service in SERVICES:
        house = root / "services" / service
        for name in (*FILES, *ROOMS):
            if not (house / name).exists():
                wrong.append(f"services/{service} lacks {name}")
        extra = DATA_FOLDERS.get(service, frozenset())
        for path in sorted(house.iterdir() if house.is_dir() else ()):
            if path.name == "__pycache__" or path.name in (*FILES, *ROOMS):
                continue
            if path.name not in extra or any(path.rglob("*.py")):
                wrong.append(f"services/{service} has a room of its own: {path.name}")
    for path in sorted((root / "services").iterdir()):
        if path.is_dir() and path.name not in (*SERVICES, "__pycache__"):
            wrong.append(f"{path.name} is no service of ours")
    return wrong


def imports(tree: ast.Module) -> Iterator[tuple[int, str, str | None]]:
    """(line, module, name) of each import; name None where a whole module is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, module, alias.name


def impure_imports(root: Path) -> list[str]:
    """Domains import pure things only: names of the standard library, of shared, of their own."""
    wrong = []
    for path, tree in _domains(root):
        own = ".".join(path.parts[:3])
        for line, module, name in imports(tree):
            if not _is_pure(module, name, own):
                what = f"{module}.{name}" if name else module
                wrong.append(f"{path}:{line} imports {what}")
    return wrong


def _is_pure(module: str, name: str | None, own: str) -> bool:
    first, _, rest = module.partition(".")
    if module == own or module.startswith(own + "."):
        return True
    if first != "shared":
        return first in PURE_STDLIB
    if not rest:
        return name in PURE_SHARED and PURE_SHARED[name] is None
    allowed = PURE_SHARED.get(rest, frozenset())
    return allowed is None or name in allowed


def impure_names(root: Path) -> list[str]:
    """Domains know no clock, random, log, file or await."""
    wrong = []
    for path, tree in _domains(root):
        for node in ast.walk(tree):
            name = _called(node)
            if name in IMPURE_NAMES:
                wrong.append(f"{path}:{node.lineno} uses {name}")  # type: ignore[attr-defined]
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
                wrong.append(f"{path}:{node.lineno} waits")
    return wrong


def _domains(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    return modules(root, *(f"services/{service}/domain" for service in SERVICES))


def _called(node: ast.AST) -> str | None:
    """The name of what is called, or of an attribute that is an impurity by itself."""
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Name):
            return function.id
        if isinstance(function, ast.Attribute):
            return function.attr
    if isinstance(node, ast.Attribute) and node.attr == "environ":
        return node.attr
    return None


def borders(root: Path) -> list[str]:
    """Who may import whom, between services, rooms, shared, node and tests."""
    wrong = []
    for path, tree in modules(root, "services", "shared", "node", "bench"):
        parts = path.parts
        for line, module, name in imports(tree):
            target = (module + (f".{name}" if name else "")).split(".")
            reason = _trespass(parts, target)
            if reason:
                wrong.append(f"{path}:{line} imports {'.'.join(target)}: {reason}")
    return wrong


def _trespass(parts: tuple[str, ...], target: list[str]) -> str | None:
    if target[0] == "":
        return "imports are written whole"
    if target[0] == "tests":
        return "tests are not for production"
    if parts[0] == "shared" and target[0] in ("services", "node", "bench"):
        return "shared knows nobody"
    if parts[0] == "services":
        return _trespass_of_service(parts, target)
    if parts[0] == "node" and target[0] == "services":
        may = (parts == ("node", "verify.py") and target[:4] in _VERIFIER) or (
            # What outsiders may rely on: `jiexu topics` shows the topics as they are declared.
            parts == ("node", "topics.py") and target[2:4] == ["contract", "topics"]
        )
        return None if may else "a node runs services, it does not import them"
    return None


# The verifier, and the directory that it is given.
_VERIFIER = (
    ["services", "transfer", "domain", "verify"],
    ["services", "transfer", "domain", "directory"],
)


def _trespass_of_service(parts: tuple[str, ...], target: list[str]) -> str | None:
    if target[0] in ("node", "bench"):
        return "a service does not know its node"
    if target[0] != "services" or len(parts) < 3:
        return None
    if len(target) > 1 and target[1] != parts[1]:
        return "services share a language, not a library"
    room = target[2] if len(target) > 2 else ""
    if parts[2] == "domain" and room != "domain":
        return "the domain knows no other room"
    if parts[2] == "contract" and room in ("edge", "wiring", "settings"):
        return "a contract does not depend on the edge"
    if parts[2] == "edge" and room == "wiring":
        return "only __main__ knows the wiring"
    return None


def shared_is_closed(root: Path) -> list[str]:
    """The closed list of shared modules, each opening with the question it answers, no noun of
    ours among its names."""
    wrong = []
    for path in sorted((root / "shared").iterdir()):
        name = path.stem if path.suffix == ".py" else path.name
        if name in ("__init__", "__pycache__", "py.typed") or path.name in SHARED_DATA:
            continue
        if name not in SHARED:
            wrong.append(f"shared/{path.name} is not on the closed list")
    for path, tree in modules(root, "shared"):
        for node in ast.walk(tree):
            named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if named and NOUNS.search(node.name):
                wrong.append(f"{path}:{node.lineno} names {node.name}, a noun of ours")
    return wrong


def questions(root: Path) -> list[str]:
    """Every module says in its first lines what it is: in shared, by a question."""
    wrong = []
    for path, tree in modules(root, "services", "shared", "node"):
        text = ast.get_docstring(tree) or ""
        of_shared = path.parts[0] == "shared" and len(path.parts) == 2
        if not text:
            wrong.append(f"{path} has no docstring")
        elif of_shared and path.name != "__init__.py" and "?" not in text.partition("\n\n")[0]:
            wrong.append(f"{path} does not open with the question it answers")
    return wrong


def built_at_import(root: Path) -> list[str]:
    """Nothing happens at import: no call for its effect, none of what opens or connects."""
    wrong = []
    for path, tree in modules(root, "services", "shared", "node"):
        for node in _executed_at_import(tree.body):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
                wrong.append(f"{path}:{node.lineno} calls something for its effect")
            for inner in _outside_functions(node):
                if isinstance(inner, ast.Call) and _called(inner) in BUILDERS:
                    wrong.append(f"{path}:{inner.lineno} makes {_called(inner)}")
    return sorted(set(wrong))


def _executed_at_import(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ClassDef):
            yield from _executed_at_import(node.body)
        else:
            yield node


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _outside_functions(child)


def sizes_and_names(root: Path) -> list[str]:
    """Modules of at most 400 lines, and none named after nothing."""
    wrong = []
    for path in files(root):
        relative = path.relative_to(root)
        if path.suffix != ".py":
            continue
        if relative.parts[0] in ("services", "shared", "node"):
            count = len(path.read_text("utf-8").splitlines())
            if count > MAX_LINES:
                wrong.append(f"{relative} has {count} lines")
        if path.stem in BARE_NAMES or BARE_NAMES & set(relative.parts[:-1]):
            wrong.append(f"{relative} is named after nothing")
    return wrong


def forbidden_words(root: Path) -> list[str]:
    """No path of somebody's machine and no registry's host stands in the project."""
    wrong = []
    for path in files(root):
        relative = path.relative_to(root)
        if path.suffix.lstrip(".") not in TEXT:
            continue
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            found = FORBIDDEN.search(line)
            if found:
                wrong.append(f"{relative}:{number} says {found[0]}")
    return wrong


def stdlib_is_pure(names: Iterable[str]) -> list[str]:
    """Of these module names, those that are no part of the standard library."""
    return sorted(name for name in names if name not in sys.stdlib_module_names)
