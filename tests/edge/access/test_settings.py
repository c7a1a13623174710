"""What a service is told of certificates, passwords, principals, and each way to say it wrong."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.transfer.settings import Settings
from shared.access import Broker, database_url
from shared.settings import SettingsAreWrong, load
from tests.support.certificates import Authority, Shown


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def shown(authority: Authority) -> Shown:
    return authority.sign("records")


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("p@ss:w/rd\n", "utf-8")
    return path


def settings(tmp_path: Path, **more: Any) -> Settings:
    """A whole set, but for what the test says."""
    directory = tmp_path / "directory.json"
    directory.write_text("{}", "utf-8")
    plain: dict[str, Any] = {
        "node": "500000",
        "database_url": "postgresql://records@db:5432/jiexu",
        "kafka_bootstrap": "kafka:9092",
        "keys": tmp_path,
        "public_keys": tmp_path,
        "directory": directory,
        "directory_keys": ("directory:" + "0" * 16 + ":" + "0" * 64,),
    }
    return load(Settings, **(plain | more))


def wrong(tmp_path: Path, **more: Any) -> dict[str, str]:
    """Each variable that is named, with what is wrong with it."""
    with pytest.raises(SettingsAreWrong) as found:
        settings(tmp_path, **more)
    parts = [line.partition(" ") for line in found.value.lines]
    return {name: said.partition(":")[0] for name, _, said in parts}


def test_without_a_word_on_it_everything_is_plain(tmp_path: Path) -> None:
    plain = settings(tmp_path)
    assert plain.broker() == Broker("kafka:9092")
    assert plain.dsn() == "postgresql://records@db:5432/jiexu"
    assert [plain.listener_tls(name) for name in ("api", "internal", "federation")] == [None] * 3


def test_each_mistake_is_named_at_once(
    tmp_path: Path, authority: Authority, shown: Shown, password: Path
) -> None:
    other = authority.sign("other")
    empty = tmp_path / "empty"
    empty.write_text("", "utf-8")
    assert wrong(
        tmp_path,
        api_certificate=shown.certificate,
        internal_certificate=shown.certificate,
        internal_certificate_key=other.key,
        internal_client_certificates="required",
        federation_certificate_key=shown.key,
        federation_client_certificates="perhaps",
        neighbour_ca=password,
        peer_certificate=tmp_path / "absent.pem",
        kafka_security="SASL_SSL",
        kafka_mechanism="PLAIN",
        kafka_password_file=empty,
        database_sslmode="verify-full",
    ) == {
        "JIEXU_API_CERTIFICATE_KEY": "is missing beside JIEXU_API_CERTIFICATE",
        "JIEXU_INTERNAL_CERTIFICATE_KEY": (
            "is not the private key of JIEXU_INTERNAL_CERTIFICATE, in PEM"
        ),
        "JIEXU_INTERNAL_CLIENT_CERTIFICATES": (
            "asks for certificates, and JIEXU_INTERNAL_CLIENT_CA is missing"
        ),
        "JIEXU_FEDERATION_CERTIFICATE_KEY": "is there without JIEXU_FEDERATION_CERTIFICATE",
        "JIEXU_FEDERATION_CLIENT_CERTIFICATES": "is none of none, optional, required",
        "JIEXU_NEIGHBOUR_CA": "is no file of certificates in PEM",
        "JIEXU_PEER_CERTIFICATE": "is no file",
        "JIEXU_KAFKA_MECHANISM": "is none of SCRAM-SHA-512, SCRAM-SHA-256",
        "JIEXU_KAFKA_USERNAME": "is missing for JIEXU_KAFKA_SECURITY SASL_SSL",
        "JIEXU_KAFKA_PASSWORD_FILE": "does not hold one line",
        "JIEXU_DATABASE_CA": "is missing for JIEXU_DATABASE_SSLMODE verify-full",
    }


def test_a_broker_need_not_name_its_authoritys_key(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 asks for it by default, and Strimzi's certificates do not have it."""
    made = ssl.create_default_context

    def as_of_313(*args: Any, **named: Any) -> ssl.SSLContext:
        context = made(*args, **named)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_of_313)
    broker = Broker("kafka:9093", security="SSL", ca=authority.ca)
    context = broker.kafka_python()["ssl_context"]
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


def test_a_city_that_demands_certificates_shows_its_own(
    tmp_path: Path, authority: Authority, shown: Shown
) -> None:
    demands = {
        "federation_certificate": shown.certificate,
        "federation_certificate_key": shown.key,
        "federation_client_ca": authority.ca,
        "federation_client_certificates": "required",
    }
    assert wrong(tmp_path, **demands) == {"JIEXU_PEER_CERTIFICATE": "is missing"}
    own = {"peer_certificate": shown.certificate, "peer_certificate_key": shown.key}
    assert settings(tmp_path, **demands, **own).mutual_tls


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything, where the tests have it."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(was)


def test_what_may_not_be_read_is_named(tmp_path: Path, shown: Shown) -> None:
    with tempfile.TemporaryDirectory() as place:
        open_to_all, closed = Path(place), Path(place) / "closed"
        open_to_all.chmod(0o777)
        closed.mkdir()
        (closed / "below").mkdir()
        for name in ("shown.pem", "shown.key", "word"):
            (closed / name).write_bytes(shown.certificate.read_bytes())
        mine = open_to_all / "mine"
        mine.write_text("word", "utf-8")
        certificate = open_to_all / "certificate.pem"
        certificate.write_bytes(shown.certificate.read_bytes())
        settings(tmp_path, keys=closed, public_keys=closed / "below", calendar=mine)
        mine.chmod(0o000)
        closed.chmod(0o000)
        try:
            with as_nobody():
                found = wrong(
                    open_to_all,
                    keys=closed,
                    public_keys=closed / "below",
                    directory=mine,
                    calendar=closed / "word",
                    api_certificate=closed / "shown.pem",
                    internal_certificate=certificate,
                    internal_certificate_key=closed / "shown.key",
                    database_password_file=mine,
                )
        finally:
            closed.chmod(0o700)
    assert found == dict.fromkeys(
        (
            "JIEXU_KEYS",
            "JIEXU_PUBLIC_KEYS",
            "JIEXU_DIRECTORY",
            "JIEXU_CALENDAR",
            "JIEXU_API_CERTIFICATE",
            "JIEXU_INTERNAL_CERTIFICATE_KEY",
            "JIEXU_DATABASE_PASSWORD_FILE",
        ),
        "cannot be read",
    )


@pytest.mark.parametrize(
    "url", ["http://h:99999", "http://[bad:1", "http://:80", "http://h:0", "http://h:8_0"]
)
def test_a_url_of_a_neighbour_has_a_host_and_a_port_that_there_are(
    tmp_path: Path, url: str
) -> None:
    assert settings(tmp_path, records_internal_url="http://[::1]:80/x").records_internal_url
    assert wrong(tmp_path, records_internal_url=url) == {
        "JIEXU_RECORDS_INTERNAL_URL": "is no http or https URL without a query"
    }


def test_what_would_be_passed_over_is_a_mistake(
    tmp_path: Path, authority: Authority, password: Path
) -> None:
    said = "says nothing to JIEXU_KAFKA_SECURITY PLAINTEXT"
    assert wrong(
        tmp_path, kafka_username="records", kafka_password_file=password, kafka_ca=authority.ca
    ) == dict.fromkeys(
        ("JIEXU_KAFKA_USERNAME", "JIEXU_KAFKA_PASSWORD_FILE", "JIEXU_KAFKA_CA"), said
    )


def test_a_password_is_read_from_its_file_and_never_shown(
    tmp_path: Path, authority: Authority, shown: Shown, password: Path
) -> None:
    told = settings(
        tmp_path,
        kafka_security="SASL_SSL",
        kafka_username="500000-records",
        kafka_password_file=password,
        kafka_ca=authority.ca,
        kafka_certificate=shown.certificate,
        kafka_certificate_key=shown.key,
        database_password_file=password,
        database_sslmode="verify-full",
        database_ca=authority.ca,
    )
    assert told.broker().password == "p@ss:w/rd"
    assert "p@ss" not in repr(told.broker()) + repr(told)
    assert told.dsn() == (
        "postgresql://records:p%40ss%3Aw%2Frd@db:5432/jiexu?sslmode=verify-full&sslrootcert="
        + str(authority.ca).replace("/", "%2F")
    )


def test_a_database_url_keeps_what_nobody_changed() -> None:
    url = "postgresql://a:old@h1:5432,h2:5433/jiexu?target_session_attrs=read-write"
    assert database_url(url) == url
    assert database_url(url, "new", "require") == (
        "postgresql://a:new@h1:5432,h2:5433/jiexu?target_session_attrs=read-write&sslmode=require"
    )


def test_every_client_is_told_the_same(authority: Authority, shown: Shown) -> None:
    broker = Broker(
        "a:1,b:2",
        "SASL_SSL",
        username="p",
        password="s",
        ca=authority.ca,
        certificate=shown.certificate,
        key=shown.key,
    )
    assert broker.confluent() == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "p",
        "sasl.password": "s",
        "ssl.ca.location": str(authority.ca),
        "ssl.certificate.location": str(shown.certificate),
        "ssl.key.location": str(shown.key),
    }
    theirs = broker.kafka_python()
    assert theirs.pop("ssl_context").check_hostname
    assert theirs == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "p",
        "sasl_plain_password": "s",
    }
    faust = broker.faust()
    assert [str(url) for url in faust["broker"]] == ["kafka://a:1", "kafka://b:2"]
    credentials = faust["broker_credentials"]
    assert (credentials.protocol.value, credentials.mechanism.value) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
    )
    assert (credentials.username, credentials.password) == ("p", "s")
    assert credentials.ssl_context.check_hostname
