"""How is each of our three Kafka clients let in by the broker? One set of settings for all."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from confluent_kafka import KafkaError

from shared.access.tls import client_context

# What an operator mends: by the name that librdkafka gives the error.
_REFUSALS: Final = {
    "_AUTHENTICATION": "JIEXU_KAFKA_USERNAME: the broker does not take it with this password",
    "_SSL": "JIEXU_KAFKA_CA: the broker's certificate is not taken, or ours is not by the broker",
    "TOPIC_AUTHORIZATION_FAILED": "JIEXU_KAFKA_USERNAME: the broker does not let it use a topic",
    "GROUP_AUTHORIZATION_FAILED": "JIEXU_KAFKA_USERNAME: the broker does not let it join its group",
}

# Of a broker of which nothing is heard.
BROKER_MEND: Final = (
    "see whether Kafka runs where JIEXU_KAFKA_BOOTSTRAP says "
    "and speaks as JIEXU_KAFKA_SECURITY says"
)


def refusal(error: KafkaError) -> str | None:
    """Why the broker does not let us in, or do what we must; None: it is something else."""
    said = _REFUSALS.get(error.name())
    rights = "; the role acls prints what it must be allowed"
    return said and said + (rights if "AUTHORIZATION" in error.name() else "")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is (``host:port,host:port``), and how it lets us in.

    ``security`` is Kafka's ``security.protocol``; SASL with SCRAM alone. ``ca`` None: the system's
    authorities. ``certificate`` and ``key`` are shown where the broker asks for them.
    """

    servers: str
    security: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def of(cls, bootstrap: Bootstrap) -> Broker:
        """Servers alone are a broker that lets everybody in, as the embedded one."""
        return cls(bootstrap) if isinstance(bootstrap, str) else bootstrap

    def confluent(self) -> dict[str, Any]:
        """For the relay, the batch loop and whoever asks where a log ends."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security,
        }
        if self._sasl:
            options |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        if self._tls:
            files = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
            options |= {f"ssl.{name}.location": str(path) for name, path in files.items() if path}
        return options

    def kafka_python(self) -> dict[str, Any]:
        """For provisioning and for looking."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers.split(","),
            "security_protocol": self.security,
        }
        if self._sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if self._tls:
            options["ssl_context"] = self._context()
        return options

    def faust(self) -> dict[str, Any]:
        """For Faust's app, which hands it to aiokafka."""
        import faust
        from yarl import URL

        options: dict[str, Any] = {
            "broker": [URL(f"kafka://{server}") for server in self.servers.split(",")]
        }
        context = self._context() if self._tls else None
        if self._sasl:
            options["broker_credentials"] = faust.SASLCredentials(
                username=self.username,
                password=self.password,
                mechanism=self.mechanism,
                ssl_context=context,
            )
        elif self._tls:
            options["broker_credentials"] = faust.SSLCredentials(context)
        return options

    def _context(self) -> ssl.SSLContext:
        context = client_context(self.ca, self.certificate, self.key)
        # Python 3.13 and later want an Authority Key Identifier, which Strimzi's certificates lack;
        # authority, name and time are looked at all the same, and librdkafka wants no more.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    @property
    def _sasl(self) -> bool:
        return self.security.startswith("SASL_")

    @property
    def _tls(self) -> bool:
        return self.security.endswith("SSL")


Bootstrap: TypeAlias = "str | Broker"
