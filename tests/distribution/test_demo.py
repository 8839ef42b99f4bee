"""``otel-taskflow demo``: the first thing that anybody runs."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import IO
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from otel_taskflow.web.pages import STATIC
from tests.conftest import ROOT, require

PATIENCE = 30.0
"""Seconds."""
OF_THE_SHOP = {"fulfill_order", "send_email", "sync_stock"}
LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/tasks/dashboard\?token=\S+")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, started in an empty folder. It must end well when it is told to."""
    command = [sys.executable, "-m", "otel_taskflow", "demo", "--port", str(free_port()), "--dir", "state"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_printed_link_opens_a_dashboard_with_tasks(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    require((STATIC / "manifest.json").is_file(), "the dashboard is not built: make ui")
    link = printed_link(demo.stdout)
    with httpx.Client(follow_redirects=True, timeout=PATIENCE) as browser:
        page = browser.get(link)
        assert (page.status_code, "<title>" in page.text) == (200, True)
        assert "token=" not in str(page.url)
    token = parse_qs(urlsplit(link).query)["token"][0]
    with httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE) as program:
        assert names_of_tasks(program, link.partition("/dashboard")[0]) >= OF_THE_SHOP
    assert (tmp_path / "state" / "tasks.db").exists()


def printed_link(output: IO[str] | None) -> str:
    assert output is not None
    for line in output:
        found = LINK.search(line)
        if found:
            return found[0]
    pytest.fail("the demo ended without a link")


def names_of_tasks(program: httpx.Client, tasks: str) -> set[str]:
    """Names of the tasks that there are once the first orders have been placed."""
    deadline = monotonic() + PATIENCE
    names: set[str] = set()
    while not names >= OF_THE_SHOP and monotonic() < deadline:
        names = {task["func_name"] for task in program.get(tasks).raise_for_status().json()}
        sleep(0.1)
    return names
