"""What an operator deploys agrees with the code: metrics that exist, rules that fire, a unit."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from connector.app.commands import LISTED, group
from connector.app.running.configuration import RunTable
from connector.app.running.service_metrics import SERVICE_FAMILIES
from connector.metrics import DELIVERY, FAMILIES

DEPLOY = Path(__file__).parents[1] / "deploy"
OPERATIONS = DEPLOY.parent / "docs" / "operations.md"
EXISTING = {family.name for family in (*FAMILIES, *SERVICE_FAMILIES)} | {DELIVERY}
PROMTOOL = shutil.which("promtool")
DOCKER = shutil.which("docker")


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
    assert len(alerts) == len(set(alerts)) == 29
    assert [alert for alert in alerts if alert not in page] == []


def test_every_rule_is_tested_firing_and_most_of_them_silent() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((DEPLOY / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    firing = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}

    assert firing == {rule["alert"] for rule in rules}
    assert len(silent) > 20


def test_the_dashboard_shows_every_kind_of_metric() -> None:
    shown = metrics_in((DEPLOY / "grafana.json").read_text())
    rules = metrics_in((DEPLOY / "alerts.yml").read_text())

    accounts = {each for each in EXISTING if each.startswith("connector_account_")}
    assert accounts - shown <= {
        "connector_account_failures_total",
        "connector_account_quotes_behind",
        "connector_account_sockets_open",
        "connector_account_tasks",
    }
    # What neither is drawn nor wakes anybody is for looking closer.
    assert len(EXISTING - shown - rules) < len(EXISTING) / 3


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


def test_the_unit_watches_over_the_process() -> None:
    unit = (DEPLOY / "connector.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))

    assert settings["Type"] == "notify" and int(settings["WatchdogSec"]) > 0
    assert settings["LimitCORE"] == "0" and int(settings["LimitNOFILE"]) > 1024
    assert settings["Restart"] == "on-failure"
    assert float(settings["RestartMaxDelaySec"]) > float(settings["RestartSec"])
    # A clean end takes no longer than the configuration says, by default.
    assert float(settings["TimeoutStopSec"]) > RunTable().shutdown_timeout


# --- containers

ROOT = DEPLOY.parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text())


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of the Dockerfile called `name`."""
    return re.findall(rf"^{name}\s+(.*)$", DOCKERFILE, re.MULTILINE)


def copied() -> list[str]:
    """What the image is built from, relative to the project."""
    lines = [shlex.split(each) for each in instructions("COPY") if not each.startswith("--from")]
    return [source for *sources, _ in lines for source in sources]


def test_the_image_is_built_from_files_that_its_context_has() -> None:
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert copied() and [each for each in copied() if not (ROOT / each).exists()] == []
    assert set(copied()) == set(kept)


def test_the_image_has_all_that_the_package_is_built_from() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    read_by_setuptools = re.findall(r'(?:readme|license-files) = \[?"(\w+(?:\.\w+)?)"', project)

    assert {"pyproject.toml", "setup.py", "connector", "pytest_connector.py"} <= set(copied())
    assert set(read_by_setuptools) <= set(copied())


def test_the_image_runs_as_nobody_special_and_says_whether_it_is_well() -> None:
    users = instructions("USER")
    (check,) = re.findall(r"http://127\.0\.0\.1:9090(/\w+)", instructions("HEALTHCHECK")[0])

    assert users and users[-1] not in {"root", "0"}
    assert check == "/healthz"
    assert [tag for tag in instructions("FROM") if ":" not in tag.split()[0]] == []


def test_the_image_runs_a_command_that_exists() -> None:
    (command,) = instructions("CMD")

    assert json.loads(instructions("ENTRYPOINT")[0]) == ["connector"]
    assert json.loads(command)[0] in LISTED


def test_the_configuration_of_the_composition_is_right() -> None:
    ended = CliRunner().invoke(group, ["check", str(DEPLOY / "run.toml")])

    assert ended.exit_code == 0, ended.output


def test_the_composition_mounts_what_is_there_and_pins_what_it_runs() -> None:
    services = COMPOSE["services"]

    for name, service in services.items():
        assert ":" in service["image"] or "build" in service, name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = (DEPLOY / source).exists() if source.startswith(".") else True
            assert there or source in COMPOSE["volumes"], volume
        for published in service.get("ports", []):
            assert published.startswith("127.0.0.1:"), f"{name} is open to the network"
        assert set(service.get("depends_on", [])) <= set(services)


def test_prometheus_and_grafana_ask_services_of_the_composition() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus-compose.yml").read_text())
    (target,) = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    grafana = yaml.safe_load((DEPLOY / "grafana" / "datasources.yml").read_text())
    address = grafana["datasources"][0]["url"]
    redis = re.findall(r'"redis://(\w+):', (DEPLOY / "run.toml").read_text())
    rules = {Path(each).name for each in prometheus["rule_files"]}

    asked = {target.split(":")[0], re.findall(r"http://(\w+):", address)[0], *redis}
    assert asked <= set(COMPOSE["services"])
    assert all((DEPLOY / each).exists() for each in rules)


@pytest.fixture
def engine() -> str:
    """The command of a container engine that runs; skips where there is none."""
    if DOCKER is None:
        pytest.skip("there is no docker on this machine")
    asked = subprocess.run([DOCKER, "info"], capture_output=True, check=False)
    if asked.returncode != 0:
        pytest.skip("no container engine runs on this machine")
    return DOCKER


def test_the_image_builds_and_runs(engine: str) -> None:
    tag = "trio-connector:test"
    build = [engine, "build", "--quiet", "--file", "deploy/Dockerfile", "--tag", tag, "."]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)

    config = f"{DEPLOY / 'run.toml'}:/etc/connector/run.toml:ro"
    run = [engine, "run", "--rm", "--volume", config, tag, "check", "/etc/connector/run.toml"]
    ended = subprocess.run(run, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
