"""What is a service told of certificates, passwords and principals?

A file that does not hold what it should is named with all other mistakes, before anything starts.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access.broker import Broker
from shared.access.tls import no_password


def _named(field: str) -> str:
    return f"JIEXU_{field.upper()}"


def readable_file(path: Path) -> Path:
    """The path of a file that this process may read; else ``ValueError``."""
    _look(path, stat.S_ISREG, "file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return path


def open_directory(path: Path) -> Path:
    """The path of a directory whose files this process may open; else ``ValueError``."""
    _look(path, stat.S_ISDIR, "directory")
    # What may be seen from above may still be closed; a text, for a Path drops the dot.
    _look(os.path.join(path, os.curdir), stat.S_ISDIR, "directory")
    return path


def _look(path: Path | str, is_one: Callable[[int], bool], kind: str) -> None:
    # Not is_file(): before Python 3.14 it raises where a directory above lets us not in.
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"is no {kind}") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if not is_one(mode):
        raise ValueError(f"is no {kind}")


def _one_of(*values: str) -> AfterValidator:
    def known(value: str | None) -> str | None:
        if value is not None and value not in values:
            raise ValueError(f"is none of {', '.join(values)}")
        return value

    return AfterValidator(known)


def _pem(path: Path | None) -> Path | None:
    if path is not None:
        readable_file(path)
        try:
            ssl.create_default_context().load_verify_locations(path)
        except (ssl.SSLError, OSError):
            raise ValueError("is no file of certificates in PEM") from None
    return path


def _key(path: Path | None, info: ValidationInfo) -> Path | None:
    """Belongs to the certificate whose field has the same name without ``_key``."""
    beside = str(info.field_name).removesuffix("_key")
    if beside not in info.data:
        return path  # that one is wrong, and named
    certificate = info.data[beside]
    if path is None and certificate is not None:
        raise ValueError(f"is missing beside {_named(beside)}")
    if path is not None:
        if certificate is None:
            raise ValueError(f"is there without {_named(beside)}")
        readable_file(path)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, path, no_password)
        except (ssl.SSLError, OSError):
            raise ValueError(f"is not the private key of {_named(beside)}, in PEM") from None
    return path


def _clients(value: str, info: ValidationInfo) -> str:
    """Whoever asks for client certificates shows one, and knows who signs them."""
    listener = str(info.field_name).removesuffix("_client_certificates")
    if value != "none":
        for field in (f"{listener}_certificate", f"{listener}_client_ca"):
            if field in info.data and info.data[field] is None:
                raise ValueError(f"asks for certificates, and {_named(field)} is missing")
    return value


def _secret(path: Path | None) -> Path | None:
    if path is not None:
        readable_file(path)
        try:
            text = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ValueError("cannot be read as text") from None
        if not text or "\n" in text:
            raise ValueError("does not hold one line")
    return path


def line_of(path: Path | None) -> str | None:
    """The one line of a secret's file."""
    return None if path is None else path.read_text("utf-8").strip()


def _with_sasl(value: Any, info: ValidationInfo) -> Any:
    security = info.data.get("kafka_security")
    if security is not None and security.startswith("SASL_") != (value is not None):
        problem = "is missing for" if value is None else "says nothing to"
        raise ValueError(f"{problem} {_named('kafka_security')} {security}")
    return value


def _with_tls(value: Any, info: ValidationInfo) -> Any:
    security = info.data.get("kafka_security")
    if value is not None and security is not None and not security.endswith("SSL"):
        raise ValueError(f"says nothing to {_named('kafka_security')} {security}")
    return value


def _database_ca(value: Path | None, info: ValidationInfo) -> Path | None:
    mode = info.data.get("database_sslmode") or ""
    if value is None and mode.startswith("verify-"):
        raise ValueError(f"is missing for {_named('database_sslmode')} {mode}")
    return value


Certificate = Annotated[Path | None, AfterValidator(_pem)]
CertificateKey = Annotated[Path | None, Field(validate_default=True), AfterValidator(_key)]
ClientCertificates = Annotated[
    str, _one_of("none", "optional", "required"), AfterValidator(_clients)
]
SecretFile = Annotated[Path | None, AfterValidator(_secret)]


class KafkaSettings(BaseSettings):
    """How the broker is spoken to; nothing here: in plain. What depends is checked after what it
    depends on.
    """

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    kafka_security: Annotated[str, _one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")] = (
        "PLAINTEXT"
    )
    """How the broker is spoken to."""
    kafka_mechanism: Annotated[str, _one_of("SCRAM-SHA-512", "SCRAM-SHA-256")] = "SCRAM-SHA-512"
    """How the password is shown to the broker."""
    kafka_username: Annotated[
        str | None, Field(validate_default=True, min_length=1), AfterValidator(_with_sasl)
    ] = None
    """The principal of this service; only with SASL."""
    kafka_password_file: Annotated[
        SecretFile, Field(validate_default=True), AfterValidator(_with_sasl)
    ] = None
    """A file with the password of that principal, one line."""
    kafka_ca: Annotated[Certificate, AfterValidator(_with_tls)] = None
    """The authorities of the brokers (PEM); the system's without."""
    kafka_certificate: Annotated[Certificate, AfterValidator(_with_tls)] = None
    """What this service shows to a broker that asks for it (PEM)."""
    kafka_certificate_key: CertificateKey = None
    """Its private key (PEM, no password)."""

    def broker_at(self, servers: str) -> Broker:
        """The broker at ``host:port,host:port`` and how it lets us in; reads the password."""
        return Broker(
            servers=servers,
            security=self.kafka_security,
            mechanism=self.kafka_mechanism,
            username=self.kafka_username,
            password=line_of(self.kafka_password_file),
            ca=self.kafka_ca,
            certificate=self.kafka_certificate,
            key=self.kafka_certificate_key,
        )


class AccessSettings(KafkaSettings):
    """How a service is let in, and whom it lets in. Nothing here: plain connections, for loopback.

    The field that names a key stands after its certificate: what depends is checked after what it
    depends on.
    """

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    api_certificate: Certificate = None
    """What the API shows, with what leads to its authority (PEM); without it HTTP alone."""
    api_certificate_key: CertificateKey = None
    """Its private key (PEM, no password)."""
    api_client_ca: Certificate = None
    """The authorities that sign for whoever comes to the API."""
    api_client_certificates: ClientCertificates = "none"
    """Whether whoever comes to the API shows a certificate: none, optional or required."""
    internal_certificate: Certificate = None
    """What the internal port shows (PEM); without it HTTP alone."""
    internal_certificate_key: CertificateKey = None
    """Its private key (PEM, no password)."""
    internal_client_ca: Certificate = None
    """The authorities that sign for the node's other services."""
    internal_client_certificates: ClientCertificates = "none"
    """Whether whoever comes to the internal port shows a certificate: none, optional, required."""
    neighbour_ca: Certificate = None
    """The authorities of the internal ports of the node's other services; the system's without."""
    neighbour_certificate: Certificate = None
    """What this service shows to the node's other services (PEM)."""
    neighbour_certificate_key: CertificateKey = None
    """Its private key (PEM, no password)."""
    database_password_file: SecretFile = None
    """A file with the password of the database role, one line, instead of one in the URL."""
    database_sslmode: Annotated[
        str | None, _one_of("disable", "prefer", "require", "verify-ca", "verify-full")
    ] = None
    """How the database is spoken to, as libpq has it."""
    database_ca: Annotated[
        Certificate, Field(validate_default=True), AfterValidator(_database_ca)
    ] = None
    """The authorities of the database (PEM)."""
