"""Do the commands that look at a broker get in by a principal of their own, and see no more?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from node import topics
from node.layout import Node
from services.records.contract.topics import BATCHES, DOSSIERS
from tests.node.conftest import bare_node
from tests.support.certificates import Authority
from tests.support.processes import ROOT
from tests.support.secured import SecuredKafka
from tests.support.topics import make_topics

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

MINUTES = 90
RUN_SECONDS = 60.0


@pytest.fixture
def node(broker: SecuredKafka, node_name: str, tmp_path: Path) -> Node:
    """A city as ``jiexu`` knows it on this machine; on its broker an hour and a half of one."""
    broker.publish_hours(node_name, "one", MINUTES)
    make_topics(broker.bootstrap, node_name, [BATCHES])
    settings = {"JIEXU_KAFKA_BOOTSTRAP": broker.servers("SASL_SSL")}
    return bare_node(tmp_path / node_name, node_name).changed(extra=settings)


@pytest.fixture
def reader(broker: SecuredKafka, node: Node, tmp_path: Path) -> dict[str, str]:
    """The settings of one who may read the public topic, as environment variables."""
    made = broker.make_reader(f"{node.code}-reader", DOSSIERS.on(node.code), tmp_path)
    return {f"JIEXU_KAFKA_{name}": value for name, value in made.items()}


def jiexu(node: Node, settings: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "node.cli", *command, "-n", str(node.home), "--json"],
        env={**os.environ, "LANG": "en_US.UTF-8", **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def test_commands_read_a_secured_broker(node: Node, reader: dict[str, str]) -> None:
    told = jiexu(node, reader, "events", "tail", "--from-beginning", "--limit", "1")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["data"]["moved"][0]["after"] == MINUTES

    # In the node's own settings they stand before those of a shell.
    settled = node.changed(extra={**node.extra, **reader})
    told = jiexu(settled, {"JIEXU_KAFKA_SECURITY": "PLAINTEXT"}, "topics")
    assert told.returncode == 0, told.stderr
    messages = {row["topic"]: row["messages"] for row in json.loads(told.stdout)}
    assert messages[DOSSIERS.on(node.code)] == 1
    assert messages[BATCHES.on(node.code)] is None, "not for this principal to see"
    ends = topics.end_offsets(settled, [(DOSSIERS.name, 0), (DOSSIERS.name, 1)])
    assert sum(ends.values()) == 1


def test_a_command_that_is_not_let_in_names_the_setting(
    node: Node, reader: dict[str, str], tmp_path: Path
) -> None:
    guessed = tmp_path / "guessed"
    guessed.write_text("guessed", "ascii")
    (tmp_path / "other").mkdir()
    for wrong, code, said in (
        ({"JIEXU_KAFKA_PASSWORD_FILE": str(guessed)}, 4, "USERNAME: the broker does not take it"),
        ({"JIEXU_KAFKA_CA": str(Authority(tmp_path / "other").ca)}, 4, "KAFKA_CA: the broker's"),
        ({"JIEXU_KAFKA_CA": str(guessed)}, 2, "JIEXU_KAFKA_CA is no file of certificates"),
        ({"JIEXU_KAFKA_SECURITY": "TLS"}, 2, "JIEXU_KAFKA_SECURITY is none of PLAINTEXT"),
    ):
        told = jiexu(node, {**reader, **wrong}, "events", "tail", "--limit", "1")
        assert (told.returncode, told.stdout) == (code, ""), told.stderr
        assert said in " ".join(told.stderr.split())
        assert "Traceback" not in told.stderr and "guessed" not in told.stderr.replace(
            str(guessed), ""
        )
    away = node.changed(extra={"JIEXU_KAFKA_BOOTSTRAP": "127.0.0.1:1"})
    told = jiexu(away, reader, "topics")
    assert told.returncode == 3 and "does not answer" in told.stderr
