"""A broker and a database that let nobody do more than what a service needs.

The broker listens four times: in plain for the test alone (a super user), and with SASL, with SASL
over TLS, and with TLS that demands a certificate, as the settings of services name them.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import asyncpg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism
from confluent_kafka.admin import UserScramCredentialUpsertion as Upsertion
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from node.kafka import EmbeddedKafka
from node.process import free_ports
from services.records.contract.topics import DOSSIERS
from shared.access.acls import Rule
from tests.support.certificates import Authority
from tests.support.topics import make_topics

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "security.md"


class SecuredKafka(EmbeddedKafka):
    """A broker with SCRAM users, an authorizer that allows nothing unasked, and certificates."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        port, controller, *others = free_ports(5)
        super().__init__(directory, port, controller_port=controller)
        self.authority = authority
        self.ports = dict(zip(("SASL_PLAINTEXT", "SASL_SSL", "SSL"), others, strict=True))

    def variables(self, principal: str, password: Path) -> dict[str, str]:
        """The settings by which a service is let in as this principal, over TLS."""
        return {
            "JIEXU_KAFKA_BOOTSTRAP": self.servers("SASL_SSL"),
            "JIEXU_KAFKA_SECURITY": "SASL_SSL",
            "JIEXU_KAFKA_USERNAME": principal,
            "JIEXU_KAFKA_PASSWORD_FILE": str(password),
            "JIEXU_KAFKA_CA": str(self.authority.ca),
        }

    def servers(self, security: str) -> str:
        """Where it is spoken to in this way."""
        return f"127.0.0.1:{self.ports[security]}"

    def _properties(self, *arguments: Any) -> str:
        shown = self.authority.sign("broker")
        keystore = self.directory / "broker.keystore.pem"
        keystore.write_text(shown.together, "ascii")
        theirs = [f"{name}://127.0.0.1:{port}" for name, port in self.ports.items()]
        plain = f"PLAINTEXT://{self.bootstrap}"
        controller = f"CONTROLLER://127.0.0.1:{self.controller_port}"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        settings = {
            "listeners": ",".join([plain, controller, *theirs]),
            "advertised.listeners": ",".join([plain, *theirs]),
            "listener.security.protocol.map": ",".join(
                ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", *(f"{n}:{n}" for n in self.ports)]
            ),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": keystore,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.ca,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        # The last of two lines of one name counts.
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        return super()._properties(*arguments) + lines

    def make_user(self, name: str) -> str:
        """A SCRAM user of this name; gives its password."""
        password = secrets.token_urlsafe(16)
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        asked = admin.alter_user_scram_credentials([Upsertion(name, info, password.encode())])
        asked[name].result(timeout=20)
        return password

    def allow(self, principal: str, rules: Iterable[Rule]) -> None:
        """What the rules say, and nothing more."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            made = admin.create_acls(
                [
                    ACL(
                        f"User:{principal}",
                        "*",
                        ACLOperation[operation.upper()],
                        ACLPermissionType.ALLOW,
                        ResourcePattern(
                            ResourceType[rule.resource.upper()],
                            rule.name,
                            ACLResourcePatternType[rule.pattern.upper()],
                        ),
                    )
                    for rule in rules
                    for operation in rule.operations
                ]
            )
            assert not made["failed"], made
        finally:
            admin.close()

    def make_reader(self, name: str, topic: str, folder: Path) -> dict[str, str]:
        """One who may read this topic, in groups of their name, over SASL_SSL: what they set, by
        the ends of the variables' names."""
        secret = folder / f"{name}.password"
        secret.write_text(self.make_user(name) + "\n", "ascii")
        rules = [("topic", topic, "literal"), ("group", name, "prefixed")]
        self.allow(name, [Rule(*rule, ("Read",)) for rule in rules])  # type: ignore[arg-type]
        return {
            "SECURITY": "SASL_SSL",
            "USERNAME": name,
            "PASSWORD_FILE": str(secret),
            "CA": str(self.authority.ca),
        }

    def publish_hours(self, node: str, subject: str, minutes: int) -> None:
        """Makes the node's topic of dossiers; in it one approval of so many minutes of hers."""
        make_topics(self.bootstrap, node, [DOSSIERS], partitions=2)
        data = {"moved": [{"cell": {"year": 2027}, "before": 0, "after": minutes}]}
        headers = {
            "ce_specversion": "1.0",
            "ce_id": "00000000-0000-4000-8000-000000000001",
            "ce_source": f"/nodes/{node}/records",
            "ce_type": "records.entry-approved.v1",
            "ce_subject": subject,
            "ce_time": "2027-03-01T02:00:00Z",
            "ce_sequence": "1",
            "ce_custodyepoch": "1",
            "content-type": "application/json",
        }
        producer = Producer({"bootstrap.servers": self.bootstrap})
        producer.produce(
            DOSSIERS.on(node), json.dumps(data), subject, headers=list(headers.items())
        )
        assert producer.flush(20) == 0


def documented_sql(**values: str) -> str:
    """The statements of docs/security.md, its psql variables replaced as psql does."""
    found = re.search(r"```sql\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S)
    assert found is not None, "docs/security.md has no SQL"

    def value(match: re.Match[str]) -> str:
        return match[1] + values[match[2]] + match[1]

    return re.sub(r""":(["'])(\w+)\1""", value, found[1])


async def make_role(url: str, node: str, service: str) -> tuple[str, str]:
    """A role that owns the service's schema and nothing else, made as the document says."""
    role, password = f"{node}-{service}", secrets.token_urlsafe(16)
    connection = await asyncpg.connect(url)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(
            documented_sql(DBNAME=name, role=role, password=password, service=service)
        )
    finally:
        await connection.close()
    return role, password


async def drop_roles(url: str, *roles: str) -> None:
    """Roles are the server's, not the database's: they would outlive it."""
    connection = await asyncpg.connect(url)
    try:
        for role in roles:
            await connection.execute(f'DROP OWNED BY "{role}" CASCADE; DROP ROLE "{role}"')
    finally:
        await connection.close()
