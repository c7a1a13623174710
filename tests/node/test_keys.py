"""Key files: who may read them, and that none is ever replaced."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from node import keys

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
