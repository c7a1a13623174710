"""How does a process show who it is, and see who comes: certificates, passwords, principals?"""

from __future__ import annotations

from shared.access.broker import BROKER_MEND, Bootstrap, Broker, refusal
from shared.access.database import database_url
from shared.access.ending import shown_until
from shared.access.settings import (
    AccessSettings,
    Certificate,
    CertificateKey,
    ClientCertificates,
    KafkaSettings,
    line_of,
)
from shared.access.tls import client_context, server_context

__all__ = [
    "BROKER_MEND",
    "AccessSettings",
    "Bootstrap",
    "Broker",
    "Certificate",
    "CertificateKey",
    "ClientCertificates",
    "KafkaSettings",
    "client_context",
    "database_url",
    "line_of",
    "refusal",
    "server_context",
    "shown_until",
]
