"""Testing an app: nothing on disk, nothing exported, no waiting for retries. Nothing has to be set up for that.

Needs fastapi.testclient's HTTP client: pip install httpx2 (httpx with older releases of Starlette).
Run:  pytest examples/testing_example
"""

import logging

from fastapi.testclient import TestClient
from shop import app, send_email


def test_a_mail_is_sent_in_the_second_attempt():
    with TestClient(app) as client:
        task_id = client.post("/signup?email=ada@example.com").json()["task_id"]
        task = client.get(f"/tasks/{task_id}").json()  # the task has ended, its 60 s of waiting included
    assert task["status"] == "success"
    assert [attempt["status"] for attempt in task["attempts"]] == ["retrying", "succeeded"]
    assert "Sent" in task["logs"][-1]


def test_the_function_is_still_a_plain_function(caplog):
    with caplog.at_level(logging.INFO):
        send_email("ada@example.com")
    assert caplog.messages == ["Sent"]  # outside a task, task_log writes to the logger otel_taskflow.task
    assert caplog.records[0].address == "ada@example.com"


def test_nothing_is_on_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with TestClient(app) as client:
        client.post("/signup?email=ada@example.com")
    assert list(tmp_path.iterdir()) == []
