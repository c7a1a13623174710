"""The command line: what each command does, refuses, and ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kafka.errors import KafkaConnectionError

from node import directory, doctor, expiry, keys, layout, making, supervisor, tokens
from node.broker import answering_on
from node.commands import nodes
from node.terminal import Exit, Failure, language
from services.registry.domain import regions
from shared.access import Broker
from tests.node.conftest import free_base_port
from tests.support.certificates import Authority

PROJECT = Path(__file__).parents[2]


def jiexu(data: Path, *arguments: str, lang: str = "en_US.UTF-8", timeout: float = 60,
          **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "node.cli", *arguments], capture_output=True, text=True,
        cwd=PROJECT, timeout=timeout, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "LANG": lang, "COLUMNS": "200",
             "JIEXU_DATA": str(data), **environment})


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode in (0, 1, 3), done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    # Nobody else's broker may answer where these would: other tests run beside.
    base = free_base_port()
    for code, name, port in (("500000", "重庆", base), ("510100", "成都", base + 100)):
        making.make(tmp_path, code, name, at=datetime.now(UTC), base_port=port)
    return tmp_path


def test_init_makes_settings_keys_and_an_entry(tmp_path: Path) -> None:
    first = told(jiexu(tmp_path, "init", "500000", "重庆", "--name-en", "Chongqing", "--json"))
    second = told(jiexu(tmp_path, "init", "510100", "成都", "--json"))
    assert second["base_port"] == first["base_port"] + 100
    node = layout.load(Path(first["home"]))
    assert (node.code, node.name_zh, node.name_en) == ("500000", "重庆", "Chongqing")
    entry = json.loads(Path(first["entry"]).read_text("utf-8"))
    assert (entry["city"], entry["base_url"]) == ("500000", node.federation_url)
    assert (node.keys / "records" / "entry.key").is_file()


def test_init_never_makes_a_node_over_another(made: Path) -> None:
    before = (made / "500000" / "keys" / "records" / "entry.key").read_bytes()
    again = jiexu(made, "init", "500000", "重庆")
    assert again.returncode == Exit.ASKED_WRONGLY
    assert "node already" in again.stderr
    assert (made / "500000" / "keys" / "records" / "entry.key").read_bytes() == before


@pytest.mark.parametrize("code", ["../x", "CHONGQING", "5", "", "12", "999999", "50000a"])
def test_a_code_that_is_none_is_refused(tmp_path: Path, code: str) -> None:
    assert jiexu(tmp_path, "init", code, "重庆").returncode == Exit.ASKED_WRONGLY
    assert not list(tmp_path.iterdir())


def test_a_node_is_named_by_a_province_that_registry_knows() -> None:
    taken = {f"{number:02}" for number in range(100) if nodes._is_region(f"{number:02}0000")}
    assert taken == regions.PROVINCES


def test_a_sheet_of_headers_alone_is_refused_before_the_node_is_asked(made: Path) -> None:
    sheet = made / "headonly.csv"
    sheet.write_text("证件号码,活动名称,服务日期,时长(小时)\n", "utf-8")
    done = jiexu(made, "import", str(sheet), "-y", "-o", "org-1", "-n", "500000")
    assert done.returncode == Exit.ASKED_WRONGLY
    assert "no rows" in done.stderr and "Traceback" not in done.stderr


def test_a_city_without_a_name_is_refused(tmp_path: Path) -> None:
    refused = jiexu(tmp_path, "init", "500000", " ")
    assert refused.returncode == Exit.ASKED_WRONGLY and "name is empty" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_directory_sign_lists_both_nodes_and_pins_the_office_in_each(made: Path) -> None:
    signed = told(jiexu(made, "directory", "sign", "--json"))
    assert signed["nodes"] == ["500000", "510100"]
    pins = {layout.load(made / code).directory_keys for code in signed["nodes"]}
    assert len(pins) == 1 and len(pins.pop()) == 1
    assert told(jiexu(made, "directory", "sign", "--json"))["serial"] == signed["serial"] + 1


def test_which_node_is_meant_must_be_plain(made: Path) -> None:
    asked = jiexu(made, "token", "auditor")
    assert asked.returncode == Exit.ASKED_WRONGLY
    assert "500000, 510100" in asked.stderr
    assert jiexu(made, "token", "auditor", JIEXU_HOME="500000").returncode == 0
    assert "no node" in jiexu(made, "status", "-n", "330100").stderr


def test_a_token_carries_its_roles_and_is_the_node_s_own(made: Path) -> None:
    from node.keys import read_private
    from shared.auth import TokenVerifier
    from shared.clock import SystemClock

    token = told(jiexu(made, "token", "recorder@org-1", "county_reviewer/500103", "--subject",
                       "a" * 32, "--strong", "-n", "500000", "--json"))["token"]
    key = read_private(made / "500000" / "keys" / "registry" / "token.key").public_key()
    verifier = TokenVerifier("500000", [key], SystemClock(), ("strong",))  # type: ignore[list-item]
    caller = verifier.verify(token)
    assert caller.strong
    assert caller.actor.subject_id == "a" * 32
    assert [(g.role, g.organisation_id, g.region) for g in caller.actor.grants] == [
        ("recorder", "org-1", None), ("county_reviewer", None, "500103")]


def test_a_role_that_is_none_is_refused(made: Path) -> None:
    asked = jiexu(made, "token", "emperor", "-n", "500000")
    assert asked.returncode == Exit.ASKED_WRONGLY and "no role emperor" in asked.stderr


@pytest.mark.parametrize(("role", "said"), [
    *((said, f"{role}@ORGANISATION") for role in ("recorder", "approver", "org_admin")
      for said in (role, f"{role}@", f"{role}/500103")),
    *((said, f"{role}/REGION")
      for role in ("county_reviewer", "city_reviewer", "province_reviewer")
      for said in (role, f"{role}/", f"{role}@org-1")),
    ("volunteer", "--subject"),
])
def test_a_role_that_could_do_nothing_is_refused(made: Path, role: str, said: str) -> None:
    with pytest.raises(tokens.RoleIsIncomplete) as refused:
        tokens.token(layout.load(made / "500000"), "operator", [role])
    assert said in refused.value.en and refused.value.zh


@pytest.mark.parametrize("role", sorted(
    set(tokens.ROLES) - {*tokens.OF_ORGANISATION, *tokens.OF_REGION, *tokens.OF_SUBJECT}))
def test_every_other_role_stands_alone(made: Path, role: str) -> None:
    assert tokens.token(layout.load(made / "500000"), "operator", [role])


def test_a_recorder_of_no_organisation_gets_no_token(made: Path) -> None:
    asked = jiexu(made, "token", "recorder", "-n", "500000", "--json")
    assert asked.returncode == Exit.ASKED_WRONGLY and not asked.stdout
    assert "recorder@ORGANISATION" in asked.stderr and "Traceback" not in asked.stderr


def test_status_of_a_node_that_is_down_says_so(made: Path) -> None:
    asked = jiexu(made, "status", "-n", "500000", "--json")
    assert asked.returncode == Exit.NODE_STATE
    found = told(asked)
    assert (found["phase"], found["ready"], found["behind"]) == ("stopped", False, [])
    assert found["ports"]["kafka"] == layout.load(made / "500000").base_port + 30


def test_doctor_finds_what_is_missing_and_says_how_to_mend_it(made: Path) -> None:
    making.sign(made, made / "office", datetime.now(UTC))
    assert jiexu(made, "doctor", "-n", "500000").returncode == 0
    node = layout.load(made / "500000")
    (node.keys / "records" / "head.key").unlink()
    (node.keys / "transfer" / "wrap.key").chmod(0o444)
    # Another node's, say: it signs, and nobody could verify it.
    (node.keys / "transfer" / "message.key").unlink()
    keys.write_private(node.keys / "transfer" / "message.key", Ed25519PrivateKey.generate())
    strange = jiexu(made, "doctor", "-n", "500000", "--json")
    mend = {item["what"]: item["mend"] for item in told(strange) if not item["right"]}
    assert mend["signing keys"].startswith("the directory does not list message.key: ")
    ended = Authority(made).sign("api", life=timedelta(minutes=-30))
    node.changed(directory_keys=(), extra={"JIEXU_API_CERTIFICATE": str(ended.certificate),
                                           "JIEXU_API_CERTIFICATE_KEY": str(ended.key)})
    asked = jiexu(made, "doctor", "-n", "500000", "--json")
    assert asked.returncode == Exit.FOUND_WRONG
    wrong = {item["what"]: item["mend"] for item in told(asked) if not item["right"]}
    assert "head.key" in wrong["keys of records"]
    assert wrong["rewards files"].startswith("JIEXU_API_CERTIFICATE ended at ")
    in_chinese = jiexu(made, "doctor", "-n", "500000", lang="zh_CN.UTF-8").stdout
    assert "head.key:请从备份恢复" in in_chinese and "密钥或文件有误" in in_chinese
    assert "chmod 400 wrap.key" in wrong["keys of transfer"]
    assert any("no pinned key" in mend for what, mend in wrong.items() if "directory" in what)


def test_doctor_without_a_name_looks_at_every_node_and_ends_as_its_worst_finding(
        made: Path) -> None:
    making.sign(made, made / "office", datetime.now(UTC))
    whole = jiexu(made, "doctor")
    assert whole.returncode == 0, whole.stdout
    assert whole.stdout.index("500000 重庆") < whole.stdout.index("510100 成都")
    (made / "510100" / "keys" / "records" / "head.key").unlink()
    asked = jiexu(made, "doctor", "--json")
    assert asked.returncode == Exit.FOUND_WRONG
    assert {item["node"] for item in told(asked)} == {None, "500000", "510100"}
    wrong = {(item["node"], item["what"]) for item in told(asked) if not item["right"]}
    assert wrong == {("510100", "keys of records"), ("510100", "records files")}
    assert jiexu(made, "doctor", "-n", "500000").returncode == 0


def test_doctor_names_a_misspelt_setting_of_a_node_and_of_the_shell(made: Path) -> None:
    making.sign(made, made / "office", datetime.now(UTC))
    node = layout.load(made / "500000")
    node.changed(extra={"JIEXU_KAFKA_SECURITI": "SASL_SSL"})
    asked = jiexu(made, "doctor", "-n", "500000", "--json", JIEXU_DATTA="data")
    assert asked.returncode == Exit.FOUND_WRONG
    wrong = {item["what"]: item["mend"] for item in told(asked) if not item["right"]}
    assert wrong == {
        "JIEXU_…": "JIEXU_DATTA is no setting: is JIEXU_DATA meant?",
        **{f"{service} settings": "JIEXU_KAFKA_SECURITI is no setting: "
           "is JIEXU_KAFKA_SECURITY meant?" for service in layout.SERVICES}}


def test_a_misspelt_setting_of_the_broker_never_has_a_command_speak_in_plain(made: Path) -> None:
    layout.load(made / "500000").changed(extra={"JIEXU_KAFKA_SECURITI": "SASL_SSL"})
    asked = jiexu(made, "topics", "-n", "500000")
    assert asked.returncode == Exit.ASKED_WRONGLY
    assert "is JIEXU_KAFKA_SECURITY meant?" in asked.stderr


def test_what_runs_out_within_thirty_days_is_named(made: Path) -> None:
    making.sign(made, made / "office", datetime.now(UTC), valid_days=20)
    node = layout.load(made / "500000")
    now = datetime.now(UTC)
    assert [item.what for item in expiry.soon(node, now)] == ["directory"]
    later = expiry.soon(node, now + timedelta(days=440))
    assert len(later) == 1 + 4  # directory, four signing keys; to the seal key nothing is sealed


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"body": null}'])
def test_a_broken_node_json_is_one_sentence(made: Path, text: str) -> None:
    (made / "500000" / "node.json").write_text(text, "utf-8")
    with pytest.raises(layout.NodeIsWrong, match="does not hold the settings of a node"):
        layout.find("500000", made)
    if text == "{":
        for command in ("status", "doctor"):
            asked = jiexu(made, command, "-n", "500000")
            assert asked.returncode == Exit.ASKED_WRONGLY and "Traceback" not in asked.stderr
            assert "from settings/ of a backup" in " ".join(asked.stderr.split())


@pytest.mark.parametrize("text", [
    "", "[]", "{}", '{"body": {}, "sigs": []}',
    '{"body": {"serial": 1, "expires_at": "x", "nodes": []}, "sigs": []}',
    '{"body": {"serial": 1, "expires_at": "2027-01-01T00:00:00Z", "nodes": '
    '[{"city": "500000", "keys": [{}]}]}, "sigs": [{"kid": 1, "sig": 1}]}'])
def test_a_broken_directory_is_one_sentence(made: Path, text: str) -> None:
    making.sign(made, made / "office", datetime.now(UTC))
    node = layout.load(made / "500000")
    Path(node.directory).write_text(text, "utf-8")
    with pytest.raises(directory.DirectoryIsWrong):
        expiry.soon(node, datetime.now(UTC))
    [found] = doctor._directory(node)
    assert not found.right
    if not text:
        found_by_status = told(jiexu(made, "status", "-n", "500000", "--json"))
        assert found_by_status["directory_problem"].endswith("is no JSON")


def test_the_language_follows_the_environment(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = jiexu(made, "down", "-n", "500000", lang="zh_CN.UTF-8")
    assert "没有在运行" in asked.stdout
    assert "was not running" in jiexu(made, "down", "-n", "500000").stdout
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert language() == "en"
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert language() == "zh"


def test_down_tells_a_script_whether_the_node_ran(made: Path) -> None:
    assert told(jiexu(made, "down", "-n", "500000", "--json")) == {
        "code": "500000", "stopped": False}


@pytest.mark.parametrize(("arguments", "said"), [
    (("import",), "--organisation"),
    (("up", "-n", "500000"), "directory sign first"),
    (("import", "nothing.xlsx", "-o", "org-1", "-n", "500000"), "cannot be opened"),
    (("import", "nothing.xlsx", "-o", "org-1", "-n", "500000", "--map", "hours=A",
      "--map", "hours=B"), "twice which column is hours"),
    (("verify", "nothing.json", "-n", "500000"), "cannot be opened"),
    (("redrive", "nonsense", "-n", "500000"), "no service"),
    (("events", "tail", "-n", "500000", "--service", "nonsense"), "no service"),
])
def test_what_is_asked_wrongly_is_said_in_one_sentence(
        made: Path, arguments: tuple[str, ...], said: str) -> None:
    done = jiexu(made, *arguments)
    assert done.returncode == Exit.ASKED_WRONGLY
    assert said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["5", "no json", "{}", '{"city": "500000"}'])
def test_an_entry_that_is_none_is_not_signed(made: Path, text: str) -> None:
    (made / "entry.json").write_text(text, "utf-8")
    done = jiexu(made, "directory", "sign", str(made / "entry.json"))
    assert done.returncode == Exit.ASKED_WRONGLY
    assert "entry.json" in done.stderr and "Traceback" not in done.stderr
    assert not (made / "office" / "directory.json").exists()


@pytest.mark.parametrize("url", ["ftp://city.example", "city.example", "https://", ""])
def test_an_address_that_no_city_could_reach_makes_no_node(tmp_path: Path, url: str) -> None:
    done = jiexu(tmp_path, "init", "500000", "重庆", "--url", url)
    assert done.returncode == Exit.ASKED_WRONGLY
    assert not (tmp_path / "500000").exists()


def test_the_office_s_own_place_is_no_node_code(tmp_path: Path) -> None:
    assert jiexu(tmp_path, "init", "office", "局").returncode == Exit.ASKED_WRONGLY


@pytest.mark.parametrize("name", ["empty.csv", "nowhere/empty.xlsx"])
def test_a_template_that_cannot_be_written_is_said_in_one_sentence(
        tmp_path: Path, name: str) -> None:
    done = jiexu(tmp_path, "import", "--template", str(tmp_path / name))
    assert done.returncode == Exit.ASKED_WRONGLY
    assert done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / name).exists()


def test_the_demo_never_clears_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("three years", "utf-8")
    done = jiexu(tmp_path, "demo", "--exit", "--json", "--data", str(tmp_path))
    assert done.returncode == Exit.ASKED_WRONGLY
    assert not done.stdout and "choose another --data" in done.stderr
    assert (tmp_path / "thesis.odt").read_text("utf-8") == "three years"


def test_the_demo_never_clears_a_node_that_runs(made: Path) -> None:
    with supervisor.held(layout.load(made / "500000")):
        done = jiexu(made, "demo", "--exit", "--data", str(made))
    assert done.returncode == Exit.NODE_STATE
    assert (made / "500000" / "node.json").is_file()


@pytest.mark.parametrize("arguments", [("topics",), ("events", "tail"), ("redrive", "records")])
def test_what_needs_a_running_node_says_so(made: Path, arguments: tuple[str, ...]) -> None:
    done = jiexu(made, *arguments, "-n", "500000")
    assert done.returncode == Exit.NODE_STATE
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("command", "away"), [
    (("redrive", "records"), "postgresql://u:p@127.0.0.1:1/x?sslmode=no-such-mode"),
    (("republish", "records"), "postgresql://u:p@127.0.0.1:1/x?sslmode=no-such-mode"),
    (("redrive", "records"), "postgresql://u:p@127.0.0.1:1/x"),
])
def test_a_database_that_cannot_be_asked_is_a_sentence(
        tmp_path: Path, command: tuple[str, ...], away: str) -> None:
    done = jiexu(tmp_path, *command, JIEXU_DATABASE_URL=away)
    assert done.returncode == Exit.NODE_STATE
    assert "cannot be asked" in done.stderr and "Traceback" not in done.stderr


def test_a_password_file_that_cannot_be_read_is_a_sentence(made: Path) -> None:
    (made / "500000" / "postgres" / "password").mkdir(parents=True)
    done = jiexu(made, "redrive", "records", "-n", "500000")
    assert done.returncode == Exit.NODE_STATE
    assert "password file" in done.stderr and "Traceback" not in done.stderr


def test_a_broker_that_goes_away_meanwhile_is_told_as_one_that_is_away() -> None:
    broker = Broker.of("127.0.0.1:1")
    with pytest.raises(Failure, match=r"127\.0\.0\.1:1") as told, answering_on(broker):
        raise KafkaConnectionError("111 ECONNREFUSED")
    assert told.value.code is Exit.NODE_STATE


def test_the_template_is_written_without_a_node(tmp_path: Path) -> None:
    done = jiexu(tmp_path, "import", "--template", str(tmp_path / "empty.xlsx"))
    assert done.returncode == 0 and (tmp_path / "empty.xlsx").stat().st_size > 5_000
