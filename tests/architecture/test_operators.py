"""Is the operators' page what the code says, and do rules and dashboard name what exists?"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from services.registry.domain.organisations.events import Kind
from services.rewards.settings import BodyKind
from services.transfer.edge.alarms import ALARMS
from shared.settings import unknown
from tests.support import operators

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "jiexu-node.json"
NAMING = {".py", ".sh", ".yaml"}
SAMPLES = {name for metric in operators.metrics() for name in operators.samples(metric)}


def test_the_page_is_what_the_code_says() -> None:
    stale = "run python -m tests.support.operators"
    assert operators.PAGE.read_text("utf-8") == operators.page(), stale


def test_a_stale_page_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = operators.PAGE.read_text("utf-8")
    old = text.replace("| `JIEXU_API_PORT` | all |", "| `JIEXU_API_DOOR` | all |")
    assert old != text
    monkeypatch.setattr(operators, "PAGE", tmp_path / "operators.md")
    operators.PAGE.write_text(old, "utf-8")
    assert operators.page() == text


def test_the_known_variables_are_what_the_code_reads() -> None:
    stale = "run python -m tests.support.operators"
    assert operators.VARIABLES.read_text("ascii") == operators.variables(), stale


def test_every_variable_that_our_files_name_is_known() -> None:
    """Those of image, compose file, manifests and benchmark: else nothing would start."""
    paths = [ROOT / name for name in ("Dockerfile", "docker-compose.yml", "Makefile")]
    for folder in ("bench", "deploy", "node", "services", "shared"):
        paths += (path for path in (ROOT / folder).rglob("*") if path.suffix in NAMING)
    named = {
        name
        for path in paths
        for name in re.findall(r"\bJIEXU_[A-Z_]*[A-Z]\b", path.read_text("utf-8"))
    }
    assert len(named) > 40
    assert unknown(named) == ()


def test_every_setting_says_what_it_means() -> None:
    assert operators.undescribed() == []


def test_every_alarm_of_a_move_has_a_meaning_and_a_remedy() -> None:
    assert operators.kinds_raised() == set(ALARMS)
    assert all(alarm.meaning and alarm.remedy for alarm in ALARMS.values())


def test_every_rule_says_what_to_do_and_asks_for_metrics_that_exist() -> None:
    rules = operators.rules()
    assert rules
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["remedy"], rule["alert"]
        named = operators.names_in(rule["expr"])
        assert named or "up{" in rule["expr"], rule["alert"]
        assert named <= SAMPLES, (rule["alert"], named - SAMPLES)


def test_the_page_names_only_alarms_that_exist() -> None:
    named = set(re.findall(r"`(Jiexu\w+)`", operators.PAGE.read_text("utf-8")))
    assert named == {rule["alert"] for rule in operators.rules()}


def _asked(found: Any) -> list[str]:
    """Every expression of a dashboard, wherever its panels lie."""
    if isinstance(found, dict):
        own = [found["expr"]] if "expr" in found else []
        return own + [each for value in found.values() for each in _asked(value)]
    return [each for item in found for each in _asked(item)] if isinstance(found, list) else []


def test_the_dashboard_asks_for_every_metric_and_for_no_other() -> None:
    asked = _asked(json.loads(DASHBOARD.read_text("utf-8")))
    named = {name for expression in asked for name in operators.names_in(expression)}
    assert named <= SAMPLES, named - SAMPLES
    shown = {m.name for m in operators.metrics() if operators.samples(m) & named}
    # Its labels are the dashboard's variables.
    assert shown | {"jiexu_build_info"} == {m.name for m in operators.metrics()}


def test_a_metric_that_does_not_exist_is_seen() -> None:
    assert operators.names_in("rate(jiexu_relay_evnts_total[5m]) > 0") - SAMPLES


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (the package prometheus of Debian has it)")
    return found


def _run(promtool: str, *arguments: str, cwd: Path = PROMETHEUS) -> str:
    done = subprocess.run(
        [promtool, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_takes_the_rules_and_they_ring_when_they_should(promtool: str) -> None:
    assert f"{len(operators.rules())} rules found" in _run(
        promtool, "check", "rules", "jiexu.rules.yaml"
    )
    assert "SUCCESS" in _run(promtool, "test", "rules", "jiexu.tests.yaml")
    assert "is valid" in _run(promtool, "check", "config", "prometheus.yaml")


def test_promtool_takes_every_expression_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    asked = _asked(json.loads(DASHBOARD.read_text("utf-8")))
    rules = [{"record": f"jiexu:panel:{n}", "expr": expr} for n, expr in enumerate(asked)]
    text = yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]})
    (tmp_path / "panels.yaml").write_text(text, "utf-8")
    assert f"{len(asked)} rules found" in _run(
        promtool, "check", "rules", "panels.yaml", cwd=tmp_path
    )


def test_a_body_is_of_a_kind_that_registry_knows() -> None:
    assert get_args(BodyKind) == get_args(Kind)
