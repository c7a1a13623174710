"""What registry is told before it starts: every mistake in one error, nothing quoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.registry.settings import RegistrySettings, read_issuers
from shared.settings import SettingsAreWrong, load

ISSUER = {"issuer": "https://login.example.org", "audience": "jiexu", "algorithms": ["RS256"]}


def written(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def test_all_mistakes_are_named_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "JIEXU_NODE": "!",
        "JIEXU_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "JIEXU_KEYS": str(tmp_path),
        "JIEXU_PUBLIC_KEYS": str(tmp_path),
        "JIEXU_OIDC_ISSUERS": str(
            written(tmp_path / "issuers.json", [ISSUER | {"algorithms": ["HS256"]}])
        ),
        "JIEXU_WELCOME": str(written(tmp_path / "welcome.json", "[]")),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JIEXU_DATABASE_URL", raising=False)
    with pytest.raises(SettingsAreWrong) as wrong:
        load(RegistrySettings)
    assert [line.split(" ")[0] for line in wrong.value.lines] == [
        "JIEXU_DATABASE_URL",
        "JIEXU_NODE",
        "JIEXU_OIDC_ISSUERS",
        "JIEXU_WELCOME",
    ]
    assert "HS256" not in str(wrong.value)


@pytest.mark.parametrize(
    "value",
    [
        "no json",
        {},
        [ISSUER | {"may_grant": ["system"]}],
        [ISSUER | {"may_grant": ["volunteer"]}],
        [ISSUER | {"issuer": "login"}],
        [ISSUER | {"algorithms": []}],
        [ISSUER | {"algorithms": ["none"]}],
        [ISSUER | {"secret": "x"}],
        [ISSUER, ISSUER],
    ],
    ids=str,
)
def test_a_list_of_issuers_that_would_let_too_much_in_is_refused(
    tmp_path: Path, value: Any
) -> None:
    with pytest.raises(ValueError) as error:
        read_issuers(written(tmp_path / "issuers.json", value))
    assert "login" not in str(error.value)


def test_issuers_are_read(tmp_path: Path) -> None:
    assert read_issuers(None) == ()
    path = written(tmp_path / "issuers.json", [ISSUER | {"may_grant": ["county_reviewer"]}])
    (issuer,) = read_issuers(path)
    assert issuer.oidc().algorithms == ("RS256",)
    assert issuer.may_grant == ("county_reviewer",)
