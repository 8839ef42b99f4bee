"""The alert rules are right for Prometheus' own tool, each is tested, and each has a section in the runbook."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, require_program
from tests.grafana.queries import GRAFANA, RULES

pytestmark = pytest.mark.once
TESTS = sorted((GRAFANA / "alerts").glob("*.test.yaml"))
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
ALERTS = [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])


def promtool(*arguments: str) -> None:
    program = require_program(str(ROOT / ".build" / "promtool"), "promtool", remedy="`make backends` builds it")
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", *map(str, RULES))


def test_each_alert_fires_when_it_should_and_resolves() -> None:
    promtool("test", "rules", *map(str, TESTS))


@each_alert
def test_an_alert_is_tested_firing_and_silent(alert: dict[str, Any]) -> None:
    tests = [
        test
        for file in TESTS
        for group in yaml.safe_load(file.read_text())["tests"]
        for test in group["alert_rule_test"]
    ]
    fired = {bool(test["exp_alerts"]) for test in tests if test["alertname"] == alert["alert"]}
    assert fired == {True, False}


@each_alert
def test_an_alert_says_what_is_wrong_how_much_it_matters_and_where_the_runbook_is(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"].endswith(".")
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert anchor == alert["alert"].lower()
    assert alert["alert"] in HEADING.findall((ROOT / page).read_text())


@each_alert
def test_all_windows_are_in_minutes_so_that_they_can_be_compressed(alert: dict[str, Any]) -> None:
    windows = re.findall(r"\[(\w+)\]", alert["expr"])
    assert all(re.fullmatch(r"\d+m", window) for window in [*windows, alert.get("for", "0m")])
