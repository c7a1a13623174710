"""Which certificates does a test show? An authority of its own, and what it signs."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate, its private key, and the SHA-256 of its DER in hex."""

    certificate: Path
    key: Path
    sha256: str

    @property
    def together(self) -> str:
        """Key and certificate in one text, as a Kafka broker reads them."""
        return self.key.read_text("ascii") + self.certificate.read_text("ascii")


@dataclass
class Authority:
    """Signs certificates for 127.0.0.1 and localhost; its own is ``ca``."""

    folder: Path
    name: str = "authority"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.ca = self.folder / f"{self.name}.pem"
        self._own = _certificate(self.name, self.name, self.key.public_key(), self.key, ca=True)
        self.ca.write_bytes(self._own.public_bytes(Encoding.PEM))

    def sign(
        self,
        name: str,
        hosts: Sequence[str] = ("localhost", "127.0.0.1"),
        life: timedelta = LIFE,
    ) -> Shown:
        """A certificate that server and client may show, with a new key; ``life`` from now on."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(name, self.name, key.public_key(), self.key, hosts=hosts, life=life)
        certificate, own = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(made.public_bytes(Encoding.PEM))
        own.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Shown(certificate, own, sha256(made.public_bytes(Encoding.DER)).hexdigest())


def _certificate(
    name: str,
    issuer: str,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    hosts: Sequence[str] = (),
    life: timedelta = LIFE,
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        made = made.add_extension(names, critical=False)
    return made.sign(signer, hashes.SHA256())


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
