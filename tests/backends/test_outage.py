"""An outage of one of two hosts in small: Loki's windows are seconds here, and the host that was cut off is a real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import sleep, time_ns

import pytest

from otel_taskflow import OTLPExporter, TaskManager, task_log
from tests.backends.loki import Loki, running_loki
from tests.backends.otlp import post_logs
from tests.collector.process import CONFIG, free_ports
from tests.conftest import ROOT

pytestmark = [pytest.mark.backends, pytest.mark.timeout(120)]
SERVICE = "unknown_service:python"
WINDOW = 2.0
"""Seconds: half of max_chunk_age, which is an hour by default."""
OUTAGE = 3 * WINDOW
LINES = 20
EVERYTHING = f'{{service_name="{SERVICE}"}} | otel_taskflow_task_name="speak" | log_record_uid=~".+-[0-9]+"'


def configuration(folder: Path, *, takes_late: bool) -> Path:
    """The shipped configuration with a window of seconds, with or without what it sets for late records."""
    text = (CONFIG / "backends" / "loki.yaml").read_text()
    sharding = f"time_sharding_enabled: {'true' if takes_late else 'false'}\n    time_sharding_ignore_recent: 1s"
    assert "time_sharding_enabled: true" in text
    text = text.replace("time_sharding_enabled: true", sharding)
    (folder / "small.yaml").write_text(text.replace("ingester:\n", f"ingester:\n  max_chunk_age: {2 * WINDOW:g}s\n"))
    return folder / "small.yaml"


def host(folder: Path, url: str) -> TaskManager:
    return TaskManager(dir=folder / "state", observers=[OTLPExporter.loki(url, schedule_delay=0.0)])


def work_during_an_outage(folder: Path) -> None:
    """Tasks run while nobody takes their lines."""
    tasks = host(folder, f"http://127.0.0.1:{free_ports(1)[0]}")

    @tasks.task
    def speak() -> None:
        for number in range(LINES):
            task_log("line", number=number)

    tasks.add_task(speak)
    assert tasks.drain()
    tasks.close()
    sleep(OUTAGE)


def send_what_waits(folder: Path, loki: Loki) -> bool:
    """The host is back; another one has sent something new. Returns whether all of it was taken."""
    answer = post_logs(loki.otlp_endpoint, [(time_ns(), "new")], instance="other", service=SERVICE)
    assert answer.status == 204
    tasks = host(folder, loki.url)
    tasks.start()
    try:
        return tasks.force_flush(30.0)
    finally:
        tasks.close()


def doctor(folder: Path) -> str:
    command = [sys.executable, "-m", "otel_taskflow", "doctor", "--dir", str(folder / "state")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_what_waited_during_an_outage_is_taken(tmp_path: Path) -> None:
    work_during_an_outage(tmp_path)
    with running_loki(tmp_path, configuration=configuration(tmp_path, takes_late=True)) as loki:
        assert send_what_waits(tmp_path, loki)
        assert len(loki.lines(EVERYTHING)) == LINES


def test_without_the_setting_it_is_refused_kept_in_quarantine_and_the_doctor_names_the_setting(tmp_path: Path) -> None:
    work_during_an_outage(tmp_path)
    with running_loki(tmp_path, configuration=configuration(tmp_path, takes_late=False)) as loki:
        assert not send_what_waits(tmp_path, loki)
        assert loki.lines(EVERYTHING) == []
    said = doctor(tmp_path)
    assert "in quarantine" in said
    assert "too far behind" in said
    assert "time_sharding_enabled: true" in said
