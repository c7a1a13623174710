"""Key files: who may read them, and that none is ever replaced."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node import keys
from node.making import make
from node.terminal import Failure
from tests.support.certificates import Authority

EXPECTED = {
    "registry": {"service", "digest", "token", "vault", "pepper", "seal"},
    "records": {"service", "digest", "entry", "head"},
    "rewards": {"service", "digest"},
    "transfer": {"service", "digest", "message", "custody", "wrap"},
}


def test_every_private_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    keys.make(tmp_path)
    for service, names in EXPECTED.items():
        files = set((tmp_path / "keys" / service).iterdir())
        assert {file.stem for file in files} == names
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o400}


def test_public_halves_fit_their_private_keys(tmp_path: Path) -> None:
    keys.make(tmp_path)
    public = tmp_path / "keys" / "public"
    assert {file.name for file in public.iterdir()} == {
        "token.pub", *(f"service-{name}.pub" for name in EXPECTED)}
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    token = load_pem_public_key((public / "token.pub").read_bytes())
    private = keys.read_private(tmp_path / "keys" / "registry" / "token.key")
    assert token == private.public_key()


def test_keys_are_never_replaced(tmp_path: Path) -> None:
    keys.make(tmp_path)
    before = (tmp_path / "keys" / "records" / "entry.key").read_bytes()
    with pytest.raises(FileExistsError):
        keys.make(tmp_path)
    assert (tmp_path / "keys" / "records" / "entry.key").read_bytes() == before


def test_the_entry_carries_the_digest_of_a_configured_certificate(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    shown, other = authority.sign("500000"), authority.sign("renewed")
    node = make(tmp_path / "nodes", "500000", "重庆", at=datetime.now(UTC))
    assert keys.certificates_shown(node) == []
    monkeypatch.setenv("JIEXU_PEER_CERTIFICATE", str(shown.certificate))
    entry = keys.directory_entry(node, "https://transfer.example", datetime.now(UTC),
                                 operator="a", contact="b", regions=["500000"])
    assert entry["tls_client_sha256"] == [shown.sha256]
    settled = node.changed(extra={"JIEXU_PEER_CERTIFICATE": str(other.certificate)})
    assert keys.certificates_shown(settled) == [other.sha256]
    ended = authority.sign("ended", life=timedelta(minutes=-30))
    with pytest.raises(Failure, match="renew it first"):
        keys.certificates_shown(node.changed(extra={
            "JIEXU_PEER_CERTIFICATE": str(ended.certificate)}))
    monkeypatch.setenv("JIEXU_PEER_CERTIFICATE", str(tmp_path / "absent.pem"))
    with pytest.raises(Failure, match="is no certificate in PEM"):
        make(tmp_path / "nodes", "510100", "成都", at=datetime.now(UTC))
    assert not (tmp_path / "nodes" / "510100" / "keys").exists()
