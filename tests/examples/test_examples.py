"""Every example runs as its docstring says, in a process and a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"

SERVE = """
import importlib, json, sys
from fastapi.testclient import TestClient

example = importlib.import_module(sys.argv[1])
manager, admin, requests = getattr(example, sys.argv[2]), sys.argv[3], sys.argv[4:]
with TestClient(example.app) as client:
    for request in requests:
        client.post(request).raise_for_status()
    assert manager.drain()
    headers = {"authorization": f"Bearer {manager.access_token()}"}
    listed = client.get(admin, headers=headers).raise_for_status().json()
    tasks = [client.get(f"{admin}/{task['task_id']}", headers=headers).json() for task in listed]
print(json.dumps(tasks))
"""


def run(tmp_path: Path, *command: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**environ, "PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "starts at its first use" not in done.stderr
    return done.stdout


def main_of(tmp_path: Path, example: str) -> list[str]:
    return run(tmp_path, str(EXAMPLES / f"{example}.py")).splitlines()


def tasks_of(
    tmp_path: Path, example: str, *requests: str, manager: str = "task_manager", admin: str = "/tasks"
) -> dict[str, dict[str, Any]]:
    tasks = json.loads(run(tmp_path, "-c", SERVE, example, manager, admin, *requests).splitlines()[-1])
    return {task["func_name"]: task for task in tasks}


def outcomes(task: dict[str, Any]) -> list[str]:
    return [attempt["status"] for attempt in task["attempts"]]


def test_the_first_mail_of_the_signup_is_retried(tmp_path: Path) -> None:
    task = tasks_of(tmp_path, "signup", "/signup?email=ada@example.com")["send_email"]
    assert task["status"] == "success"
    assert outcomes(task) == ["retrying", "succeeded"]
    assert task["tags"] == {"customer": "ada@example.com"}


def test_retries_and_timeouts_do_what_they_say(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, "retries_and_timeouts", "/run/charge", "/run/import_orders", "/run/call_partner")
    assert outcomes(tasks["charge"]) == ["failed"]
    assert outcomes(tasks["import_orders"]) == ["retrying", "retrying", "succeeded"]
    assert outcomes(tasks["call_partner"]) == ["timed_out", "succeeded"]


def test_plain_background_tasks_are_kept_with_what_they_logged(tmp_path: Path) -> None:
    task = tasks_of(tmp_path, "plain_background_tasks", "/signup?email=ada@example.com")["write_welcome"]
    assert task["status"] == "success"
    assert task["logs"][0].endswith("Welcome, ada@example.com")


@pytest.mark.parametrize(
    ("manager", "admin", "task"), [("mail", "/mail-tasks", "send"), ("reports", "/report-tasks", "build")]
)
def test_each_manager_shows_its_own_tasks(tmp_path: Path, manager: str, admin: str, task: str) -> None:
    tasks = tasks_of(tmp_path, "several_managers", "/mail", "/reports", manager=manager, admin=admin)
    assert [*tasks] == [task]
    assert tasks[task]["status"] == "success"


def test_an_own_observer_is_told(tmp_path: Path) -> None:
    warning = "sync_stock: No answer {'warehouse': 'north'}"
    assert main_of(tmp_path, "own_observer") == [
        warning,
        warning,
        "sync_stock failed after 1 retries: the warehouse is closed",
    ]


def test_a_script_adds_tasks_without_a_request(tmp_path: Path) -> None:
    assert main_of(tmp_path, "script") == ["one task, not two: True", "all ended: True"]


def test_tracing_prints_the_attempts_span_without_a_collector(tmp_path: Path) -> None:
    printed = "\n".join(main_of(tmp_path, "tracing"))
    for name in ("send fulfill", "process fulfill", "reserve items"):
        assert f'"name": "{name}"' in printed


def test_spans_wait_while_nobody_listens_and_arrive_when_somebody_does(tmp_path: Path) -> None:
    assert main_of(tmp_path, "durable_export") == [
        "delivered while nobody listens: False",
        "spans waiting: 2",
        "delivered now: True",
        "spans waiting: 0",
        "arrived: process send_invoice, send send_invoice",
    ]


def test_captured_logging_stands_beside_task_log(tmp_path: Path) -> None:
    assert main_of(tmp_path, "capture_logging") == [
        "info task_log Importing {'path': 'orders.csv'}",
        "info some.library Read 200 rows {'encoding': 'utf-8'}",
    ]


def test_secrets_and_what_the_rules_name_are_masked(tmp_path: Path) -> None:
    assert main_of(tmp_path, "redaction") == [
        (
            "Connecting to postgres://shop:[redacted:url_credentials]@db/shop "
            "{'password': '[redacted:password]', 'prompt_tokens': 532}"
        ),
        "Refunding [redacted:order_code] of [redacted:email] {'iban': '[redacted:iban]'}",
    ]


def test_task_logs_are_in_files_for_people_and_for_programs(tmp_path: Path) -> None:
    heading, *lines, heading_of_programs, record = main_of(tmp_path, "file_log")
    assert (heading, heading_of_programs) == ("tasks.log:", "warnings.jsonl:")
    assert [line.partition("Z ")[2] for line in lines] == [
        "-- RUNNING", "Importing", "Row 7 has no price", "-- SUCCESS",
    ]  # fmt: skip
    assert (json.loads(record)["level"], json.loads(record)["extra"]) == ("warning", {"row": 7})


def test_links_lead_from_a_task_to_where_its_telemetry_is(tmp_path: Path) -> None:
    found = [line.split(": ", 2) for line in main_of(tmp_path, "deep_links")]
    assert [(place, name) for place, name, _ in found] == [
        ("task", "Trace in Grafana"), ("task", "Logs in Grafana"), ("task", "Trace in Jaeger"), ("task", "Runbook"),
        ("attempt 1", "Trace in Grafana"), ("attempt 1", "Attempt's logs in Grafana"), ("attempt 1", "Trace in Jaeger"),
        ("line 1", "Trace in Grafana"), ("line 1", "Line in Grafana"), ("line 1", "Trace in Jaeger"),
        ("line 1", "Around this line"),
    ]  # fmt: skip
    urls = {(place, name): url for place, name, url in found}
    assert urls["task", "Runbook"] == "https://wiki.example.com/tasks?name=fulfill_order"
    assert urls["line 1", "Around this line"].endswith("-0-1")
    assert urls["attempt 1", "Trace in Jaeger"] == urls["line 1", "Trace in Jaeger"] != urls["task", "Trace in Jaeger"]


def test_a_cancelled_task_is_run_again_as_a_new_one(tmp_path: Path) -> None:
    first, second, refusal = main_of(tmp_path, "cancel")
    assert (first, second) == ("cancelled user", "repeats the first one: True")
    assert "only pending and running tasks can be cancelled" in refusal


SECURED = """
import secured_dashboard as example
from fastapi.testclient import TestClient

with TestClient(example.app, base_url="http://127.0.0.1") as client:
    client.post("/accounts?email=ada@example.com").raise_for_status()
    assert example.task_manager.drain()
    ada, tasks = ("ada", "analytical engine"), "/admin/tasks"
    print(client.get(tasks).status_code, client.get(tasks, auth=("ada", "guess")).status_code)
    print(client.get(tasks, auth=ada, headers={"host": "evil.example"}).status_code)
    [task] = client.get(tasks, auth=ada).json()
    print(task["status"], task["kwargs"])
"""


def test_the_secured_dashboard_lets_in_who_it_knows(tmp_path: Path) -> None:
    assert run(tmp_path, "-c", SECURED).splitlines() == [
        "401 401",
        "403",
        "success {'password': '[redacted:password]'}",
    ]


def test_threads_log_into_their_task(tmp_path: Path) -> None:
    assert main_of(tmp_path, "threads") == ["6 lines of one task"]


def test_what_a_killed_process_left_is_taken_up(tmp_path: Path) -> None:
    first, *lines = main_of(tmp_path, "survives_a_crash")
    assert first == "killed by signal 9"
    assert "add attempt 1 Added {'total': 42}" in lines
    assert [line for line in lines if "attempt 2 Step" in line] == [
        f"count attempt 2 Step {{'step': {step}}}" for step in range(5)
    ]


def test_the_tests_of_the_example_pass_where_other_examples_ran_before(tmp_path: Path) -> None:
    main_of(tmp_path, "script")
    assert (tmp_path / ".otel_taskflow").is_dir()
    assert "3 passed" in run(tmp_path, "-m", "pytest", str(EXAMPLES / "testing_example"), "-p", "no:cacheprovider")


def test_every_example_is_run_by_a_test() -> None:
    text = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = [path.stem for path in EXAMPLES.iterdir() if not path.name.startswith(("_", "."))]
    assert [name for name in names if name not in text] == []
