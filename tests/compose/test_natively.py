"""What compose.yaml tells the programs to do, done by the same programs without Docker."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from otel_taskflow.web.pages import STATIC
from tests.backends.loki import running_loki
from tests.backends.stack import OVERLAYS
from tests.collector.process import config_arguments
from tests.compose.stack import Service, services
from tests.conftest import ROOT, require, require_program

pytestmark = pytest.mark.once
PATIENCE = 60.0
"""Seconds."""
SERVICES = services()
FASTAPI_MAKES_SPANS = tuple(map(int, version("fastapi").split(".")[:2])) >= (0, 142)


def run(program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What a program of `make backends` says; it must end well."""
    path = require_program(str(ROOT / ".build" / program), remedy="make backends")
    done = subprocess.run(
        [str(path), *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.collector
def test_the_collector_accepts_the_files_and_variables_it_is_given(tmp_path: Path) -> None:
    service = SERVICES["otelcol"]
    environment = {**service.environment, "OTELCOL_STORAGE": str(tmp_path)}
    run("otelcol", "validate", *map(service.here, service.command), environment=environment)


def test_the_collector_is_given_the_files_that_the_tests_run_it_with() -> None:
    given = [
        Path(argument.partition("=")[2]) for argument in map(SERVICES["otelcol"].here, SERVICES["otelcol"].command)
    ]
    tested = map(Path, config_arguments(OVERLAYS)[1::2])
    assert [file.resolve() for file in given] == [file.resolve() for file in tested]


@pytest.mark.backends
def test_loki_accepts_the_file_and_variables_it_is_given() -> None:
    service = SERVICES["loki"]
    run("loki", "-verify-config", *map(service.here, service.command), environment=service.environment)


@pytest.mark.backends
def test_prometheus_finds_the_alert_rules_where_they_are_mounted(tmp_path: Path) -> None:
    service = SERVICES["prometheus"]
    for mount in service.mounts:
        if mount.is_file_of_ours:
            copy = shutil.copytree if mount.path.is_dir() else shutil.copy
            (tmp_path / mount.target[1:]).parent.mkdir(parents=True, exist_ok=True)
            copy(mount.path, tmp_path / mount.target[1:])
    [file] = [each.partition("=")[2] for each in service.command if each.startswith("--config.file=")]
    assert "1 rule files found" in run("promtool", "check", "config", str(tmp_path / file[1:]))


@pytest.mark.backends
def test_lokis_own_program_says_whether_it_is_healthy(tmp_path: Path) -> None:
    check = SERVICES["loki"].given["healthcheck"]["test"][2:]
    with running_loki(tmp_path) as loki:
        healthy = [each.replace("http://127.0.0.1:3100", loki.url) for each in check]
        assert "healthy" in run("loki", *healthy)
        loki.kill()
        done = subprocess.run([loki.command[0], *healthy], capture_output=True, timeout=PATIENCE, check=False)
        assert done.returncode == 1
        loki.start()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, OTLPReceiver]]:
    """The shop as it is started in its container, at a port of this machine and with a receiver in the collector's place."""
    require((STATIC / "manifest.json").is_file(), "the dashboard is not built: make ui")
    with OTLPReceiver() as receiver:
        service = SERVICES["shop"]
        port = free_port()
        here = {"0.0.0.0": "127.0.0.1", "8000": str(port), "/data": str(tmp_path), "http://otelcol:4318": receiver.url}
        arguments = [here.get(each, each) for each in service.command]
        environment = {**os.environ, **service.environment, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "otel_taskflow", "demo", *arguments]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                yield f"http://127.0.0.1:{port}", receiver
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)
            finally:
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_healthy(service: Service, base: str) -> bool:
    check = [each.replace("http://127.0.0.1:8000", base) for each in service.given["healthcheck"]["test"][2:]]
    return subprocess.run([sys.executable, *check], capture_output=True, timeout=PATIENCE, check=False).returncode == 0


def test_the_shop_becomes_healthy_and_its_first_order_can_be_followed_to_grafana(
    shop: tuple[str, OTLPReceiver], tmp_path: Path
) -> None:
    base, receiver = shop
    wait_until(lambda: is_healthy(SERVICES["shop"], base))
    headers = {"authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
    with httpx.Client(base_url=base, headers=headers, timeout=PATIENCE) as program:
        wait_until(lambda: len(program.get("/tasks?tag=order_id:A1").json()) == 2)
        listed = program.get("/tasks?tag=order_id:A1").json()
        assert {each["func_name"] for each in listed} == {"fulfill_order", "send_email"}
        [order] = [each for each in listed if each["func_name"] == "fulfill_order"]
        address = f"/tasks/{order['task_id']}"
        task = program.get(address).json()
        wait_until(lambda: bool(program.get(f"{address}/logs").json()["entries"]))
        [first, *_] = program.get(f"{address}/logs?links=true").json()["entries"]
    assert first["extra"]["order_id"] == "A1"
    assert f"{order['task_id']}-0-1" in first["links"]["Line in Grafana"]
    assert task["links"]["Trace in Grafana"].startswith("http://127.0.0.1:3000/explore?")
    if FASTAPI_MAKES_SPANS:
        assert task["parent_span_id"], "the request has a span"
        assert task["request_links"]["Trace in Grafana"] != task["links"]["Trace in Grafana"]
    wait_until(lambda: bytes.fromhex(order["trace_id"]) in {span.trace_id for span in receiver.spans})


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
