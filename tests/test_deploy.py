"""What an operator deploys agrees with the code: metrics that exist, rules that fire, a unit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.app.commands import group
from connector.metrics import DELIVERY, FAMILIES

DEPLOY = Path(__file__).parents[1] / "deploy"
OPERATIONS = DEPLOY.parent / "docs" / "operations.md"
EXISTING = {family.name for family in FAMILIES} | {DELIVERY, "connector_sink_events_total"}
PROMTOOL = shutil.which("promtool")


def metrics_in(text: str) -> set[str]:
    """Names of metrics, without what a histogram adds to its own."""
    names = re.findall(r"\bconnector_[a-z_]+\b", text)
    return {re.sub(rf"^({DELIVERY})_(bucket|count|sum)$", r"\1", name) for name in names}


@pytest.mark.parametrize("name", ["alerts.yml", "alerts_test.yml", "grafana.json"])
def test_every_metric_that_is_named_exists(name: str) -> None:
    named = metrics_in((DEPLOY / name).read_text())

    assert named and named <= EXISTING


def test_operations_explain_every_metric_and_every_alert() -> None:
    page = OPERATIONS.read_text()
    alerts = re.findall(r"- alert: (\w+)", (DEPLOY / "alerts.yml").read_text())

    assert metrics_in(page) == EXISTING
    assert len(alerts) == 10
    assert [alert for alert in alerts if alert not in page] == []


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    dashboard = json.loads((DEPLOY / "grafana.json").read_text())

    assert {"title", "uid", "schemaVersion", "panels", "templating"} <= set(dashboard)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)) > 10
    for panel in dashboard["panels"]:
        assert panel["targets"] and all(target["expr"] for target in panel["targets"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
        ["check", "config", "prometheus.yml"],
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: list[str]) -> None:
    if PROMTOOL is None:
        pytest.skip("there is no promtool on this machine")

    ended = subprocess.run(
        [PROMTOOL, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    if PROMTOOL is None:
        pytest.skip("there is no promtool on this machine")
    dashboard = json.loads((DEPLOY / "grafana.json").read_text())
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    rules = [{"record": f"x:{n}", "expr": each} for n, each in enumerate(expressions)]
    # JSON is YAML.
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "x", "rules": rules}]}))

    ended = subprocess.run(
        [PROMTOOL, "check", "rules", str(path)], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_unit_runs_commands_that_exist() -> None:
    unit = (DEPLOY / "connector.service").read_text()
    commands = re.findall(r"^Exec\w+=/usr/local/bin/connector (\w+) ", unit, re.MULTILINE)

    assert commands == ["check", "run"]
    for command in commands:
        assert CliRunner().invoke(group, [command, "--help"]).exit_code == 0
