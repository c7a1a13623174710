"""What does a service need to be told before it starts? Every mistake is named in one error."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.access import (
    AccessSettings,
    Broker,
    client_context,
    database_url,
    line_of,
    server_context,
)
from shared.access.settings import open_directory, readable_file
from shared.access.tls import OLDEST

PREFIX = "JIEXU_"
MAX_PORT = 65_535

S = TypeVar("S", bound=BaseSettings)


def _node(code: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,30}", code):
        raise ValueError("is no node name (a region code such as 500000)")
    return code


def _servers(text: str) -> str:
    for each in text.split(","):
        match = re.fullmatch(r"[^\s:,]+:([0-9]{1,5})", each)
        if match is None or not 1 <= int(match[1]) <= MAX_PORT:
            raise ValueError("is not of the form host:port,host:port")
    return text


def _url(text: str) -> str:
    wrong = "is no http or https URL without a query"
    if not re.fullmatch(r"https?://[^\s/]+(/[^\s?#]*)?", text):
        raise ValueError(wrong)
    try:
        parts = urlsplit(text)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port above the highest, a bracket that is not closed
        known = False
    if not known:
        raise ValueError(wrong)
    return text.rstrip("/")


def _database(secret: SecretStr) -> SecretStr:
    if not re.match(r"postgres(ql)?://", secret.get_secret_value()):
        raise ValueError("does not begin with postgresql://")
    # Several hosts may stand there: a primary and its standbys.
    for each in urlsplit(secret.get_secret_value()).netloc.rpartition("@")[2].split(","):
        match = re.fullmatch(r"(?:\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", each)
        if match is None or int(match[1] or 0) > MAX_PORT:
            raise ValueError("is not of the form postgresql://user:password@host:port/database")
    return secret


def _pins(pins: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[^\s,]{1,64}:[0-9a-f]{64}", each) for each in pins):
        raise ValueError("is not of the form kid:64 hex digits,…")
    return pins


def listed(value: Any) -> Any:
    """``a,b`` as a variable holds it → ``("a", "b")``; what is no text passes."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


Port = Annotated[int, Field(ge=0, le=MAX_PORT)]
Servers = Annotated[str, AfterValidator(_servers)]
Url = Annotated[str, AfterValidator(_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database)]
Directory = Annotated[Path, AfterValidator(open_directory)]
ExistingFile = Annotated[Path, AfterValidator(readable_file)]
# A list in one variable, parted by commas; NoDecode, or pydantic-settings would want JSON.
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)]
# Public keys that are trusted because they stand here, each kid:hex.
Pins = Annotated[Listed, AfterValidator(_pins)]


class ServiceSettings(AccessSettings):
    """What every service reads from ``JIEXU_…``; a service's own settings inherit from it.

    Secrets come from files in ``keys``, never from the environment; ``database_url`` alone may
    hold a password and is never shown. The text below a field says what it means: to whoever gets
    it wrong, and in docs/operators.md.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    service: ClassVar[str] = "service"

    node: Annotated[str, AfterValidator(_node)]
    """The node's name, for ever: its region code, 500000 say."""
    database_url: DatabaseUrl
    """The node's PostgreSQL, postgresql://user:password@host:port/database."""
    kafka_bootstrap: Servers
    """The node's brokers, host:port,host:port."""
    keys: Directory
    """Directory of this service's private keys, files of mode 0400."""
    public_keys: Directory
    """Directory of the public keys: token.pub, and service-NAME.pub of every service."""
    api_host: str = "127.0.0.1"
    """Address on which people and programs reach the API."""
    api_port: Port = 0
    """Port of the API; 0 takes any free one."""
    internal_host: str = "127.0.0.1"
    """Address of health, metrics and the node's other services: loopback or a private net."""
    internal_port: Port = 0
    """Port of health, metrics and the node's other services; 0 takes any free one."""
    registry_internal_url: Url | None = None
    """The internal port of registry, http://host:port; without it registry is not asked."""
    records_internal_url: Url | None = None
    """The internal port of records, http://host:port; without it records is not asked."""
    rewards_internal_url: Url | None = None
    """The internal port of rewards, http://host:port; without it rewards is not asked."""
    transfer_internal_url: Url | None = None
    """The internal port of transfer, http://host:port; without it transfer is not asked."""
    calendar: ExistingFile | None = None
    """A working calendar newer than the packaged one, in YAML."""
    topic_replication: Annotated[int, Field(ge=1, le=9)] = 1
    """Copies of each topic that provisioning makes: 3 in production, 1 on a single broker."""
    kafka_session_timeout_seconds: Annotated[int, Field(ge=6, le=300)] = 10
    """After so long a reader that died gives its partitions to the others."""
    read_by: Literal["faust", "loop"] = "faust"
    """How topics other than policies are read: faust; or loop, in larger batches, for a replay."""
    strong_acr: Listed = ("strong",)
    """The acr values of a token that count as a strong login, parted by commas."""
    body_organisation_id: str | None = None
    """The body that runs the node: its organisation id. Rewards decides stars in its name."""
    body_name: str | None = None
    """The name of the body that runs the node."""
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    """The least that is logged: debug, info, warning or error."""

    def federation_address(self) -> tuple[str, int]:
        """Host and port for other cities; only a service that has settings for them is asked."""
        return getattr(self, "federation_host", "127.0.0.1"), getattr(self, "federation_port", 0)

    def broker(self) -> Broker:
        """The broker and how it lets this service in; reads the password's file."""
        return self.broker_at(self.kafka_bootstrap)

    def dsn(self) -> str:
        """The database's URL with all that it takes to be let in; reads the password's file."""
        return database_url(
            self.database_url.get_secret_value(),
            line_of(self.database_password_file),
            self.database_sslmode,
            self.database_ca,
        )

    def neighbour_tls(self) -> ssl.SSLContext:
        """How this service calls the node's other services."""
        return client_context(
            self.neighbour_ca, self.neighbour_certificate, self.neighbour_certificate_key
        )

    def listener_tls(self, name: str, *, oldest: ssl.TLSVersion = OLDEST) -> ssl.SSLContext | None:
        """What the listener ``api``, ``internal`` or ``federation`` shows; None: plain HTTP."""
        certificate = getattr(self, f"{name}_certificate", None)
        if certificate is None:
            return None
        return server_context(
            certificate,
            getattr(self, f"{name}_certificate_key"),
            client_ca=getattr(self, f"{name}_client_ca"),
            client_certificates=getattr(self, f"{name}_client_certificates"),
            oldest=oldest,
        )

    def internal_url(self, service: str) -> str | None:
        """Where a neighbour's internal port is, if settings say."""
        url: str | None = getattr(self, f"{service}_internal_url", None)
        return url


# The services of a node, as their settings name them.
NEIGHBOURS: Final = tuple(
    field.removesuffix("_internal_url")
    for field in ServiceSettings.model_fields
    if field.endswith("_internal_url")
)


class SettingsAreWrong(Exception):
    """All that is missing or wrong, one line a variable; values are never quoted."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def load(kind: type[S], **overrides: Any) -> S:
    """Settings from the environment; raises ``SettingsAreWrong`` naming every wrong variable."""
    wrong = set(unknown((*os.environ, *map(variable, overrides)), kind.model_fields))
    try:
        settings = kind(**overrides)
    except ValidationError as error:
        wrong |= {_line(kind, each) for each in error.errors()}
    else:
        if not wrong:
            return settings
    raise SettingsAreWrong(tuple(sorted(wrong)))


def unknown(names: Iterable[str], fields: Iterable[str] = ()) -> tuple[str, ...]:
    """A line for each variable ``JIEXU_…`` that nobody reads, with the nearest that somebody does.

    A misspelt one would count for nothing, and what it was to switch on stay off. One environment
    may serve all programs of a node: what any of them reads is known, and these ``fields``.
    """
    known = sorted(name.removeprefix(PREFIX) for name in _known() | set(map(variable, fields)))
    lines = []
    for name in sorted(names):
        spelt = name.upper()  # as pydantic-settings reads them
        if spelt.startswith(PREFIX) and (rest := spelt.removeprefix(PREFIX)) not in known:
            near = get_close_matches(rest, known, n=1)
            lines.append(
                f"{name} is no setting" + (f": is {PREFIX}{near[0]} meant?" if near else "")
            )
    return tuple(lines)


@cache
def _known() -> frozenset[str]:
    text = resources.files("shared").joinpath("variables.txt").read_text("ascii")
    return frozenset(line for line in text.splitlines() if line.startswith(PREFIX))


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


# What is wrong, in our words: pydantic's may quote what was given.
_PROBLEMS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "greater_than_equal": "is below {ge}",
    "less_than_equal": "is above {le}",
    "int_parsing": "is no whole number",
    "bool_parsing": "is neither true nor false",
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "is none of the allowed values",
    "path_type": "is no path",
}


def _line(kind: type[BaseSettings], error: Mapping[str, Any]) -> str:
    """``JIEXU_API_PORT is above 65535: Port of the API; 0 takes any free one.``"""
    field = "_".join(str(part) for part in error["loc"][:1])
    if error["type"] == "value_error":
        problem = str(error["ctx"]["error"])
    else:
        known = _PROBLEMS.get(error["type"], f"is wrong ({error['type']})")
        problem = known.format(**error.get("ctx", {}))
    described = kind.model_fields.get(field)
    meaning = " ".join(((described.description if described else None) or "").split())
    return f"{variable(field)} {problem}" + (f": {meaning}" if meaning else "")
