"""What does a service need to be told before it starts? Every mistake is named in one error."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.access import AccessSettings, Broker, client_context, database_url, server_context
from shared.access.tls import OLDEST

PREFIX = "JIEXU_"

S = TypeVar("S", bound="ServiceSettings")


def _node(code: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,30}", code):
        raise ValueError("is no node name (a region code such as 500000)")
    return code


def _servers(text: str) -> str:
    if not all(re.fullmatch(r"[^\s:,]+:[0-9]{1,5}", each) for each in text.split(",")):
        raise ValueError("is not of the form host:port,host:port")
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/[^\s?#]*)?", text):
        raise ValueError("is no http or https URL without a query")
    return text.rstrip("/")


def _database(secret: SecretStr) -> SecretStr:
    if not re.match(r"postgres(ql)?://", secret.get_secret_value()):
        raise ValueError("does not begin with postgresql://")
    return secret


def _directory(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("is no directory")
    return path


def _file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("is no file")
    return path


def listed(value: Any) -> Any:
    """``a,b`` as a variable holds it → ``("a", "b")``; what is no text passes."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


Port = Annotated[int, Field(ge=0, le=65_535)]
Url = Annotated[str, AfterValidator(_url)]
Directory = Annotated[Path, AfterValidator(_directory)]
ExistingFile = Annotated[Path, AfterValidator(_file)]
# A list in one variable, parted by commas; NoDecode, or pydantic-settings would want JSON.
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)]


class ServiceSettings(AccessSettings):
    """What every service reads from ``JIEXU_…``; a service's own settings inherit from it.

    Secrets come from files in ``keys``, never from the environment; ``database_url`` alone may
    hold a password and is never shown. Port 0: any free one.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    service: ClassVar[str] = "service"

    node: Annotated[str, AfterValidator(_node)]
    database_url: Annotated[SecretStr, AfterValidator(_database)]
    kafka_bootstrap: Annotated[str, AfterValidator(_servers)]
    # Of this service alone: service.key, digest.key and what its own settings name.
    keys: Directory
    # token.pub and service-<name>.pub.
    public_keys: Directory
    api_host: str = "127.0.0.1"
    api_port: Port = 0
    internal_host: str = "127.0.0.1"
    internal_port: Port = 0
    registry_internal_url: Url | None = None
    records_internal_url: Url | None = None
    rewards_internal_url: Url | None = None
    transfer_internal_url: Url | None = None
    # A working calendar newer than the packaged one.
    calendar: ExistingFile | None = None
    topic_replication: Annotated[int, Field(ge=1, le=9)] = 1
    # The group's view of a dead reader; short in tests that kill.
    kafka_session_timeout_seconds: Annotated[int, Field(ge=6, le=300)] = 10
    # The acr values that count as a strong login.
    strong_acr: Listed = ("strong",)
    # The body that runs the node: who decides its stars and answers for its entries.
    body_organisation_id: str | None = None
    body_name: str | None = None
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    def federation_address(self) -> tuple[str, int]:
        """Host and port for other cities; only a service that has settings for them is asked."""
        return getattr(self, "federation_host", "127.0.0.1"), getattr(self, "federation_port", 0)

    def broker(self) -> Broker:
        """The broker and how it lets this service in; reads the password's file."""
        return Broker(
            servers=self.kafka_bootstrap,
            security=self.kafka_security,
            mechanism=self.kafka_mechanism,
            username=self.kafka_username,
            password=_line_of(self.kafka_password_file),
            ca=self.kafka_ca,
            certificate=self.kafka_certificate,
            key=self.kafka_certificate_key,
        )

    def dsn(self) -> str:
        """The database's URL with all that it takes to be let in; reads the password's file."""
        return database_url(
            self.database_url.get_secret_value(),
            _line_of(self.database_password_file),
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


def _line_of(path: Path | None) -> str | None:
    return None if path is None else path.read_text("utf-8").strip()


class SettingsAreWrong(Exception):
    """All that is missing or wrong, one line a variable; values are never quoted."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def load(kind: type[S], **overrides: Any) -> S:
    """Settings from the environment; raises ``SettingsAreWrong`` naming every wrong variable."""
    try:
        return kind(**overrides)
    except ValidationError as error:
        raise SettingsAreWrong(tuple(sorted({_line(each) for each in error.errors()}))) from None


def _line(error: Mapping[str, Any]) -> str:
    name = PREFIX + "_".join(str(part) for part in error["loc"][:1]).upper()
    if error["type"] == "missing":
        return f"{name} is missing"
    # Only our own validators' texts are shown: pydantic's may quote what was given.
    text = str(error["ctx"]["error"]) if error["type"] == "value_error" else ""
    return f"{name} {text}" if text else f"{name} is wrong ({error['type']})"
