"""A real Prometheus with collector-config/backends/prometheus.yaml, and questions in PromQL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, NamedTuple

from tests.collector.process import CONFIG, free_ports
from tests.program import Program, require_backend

CONFIGURATION = CONFIG / "backends" / "prometheus.yaml"


class Sample(NamedTuple):
    """A value of an instant query and its labels."""

    labels: Mapping[str, str]
    value: float


@dataclass
class Prometheus(Program):
    """A running Prometheus."""

    @property
    def otlp_endpoint(self) -> str:
        """Where it takes OTLP, as PROMETHEUS_ENDPOINT says it."""
        return f"{self.url}/api/v1/otlp"

    def samples(self, query: str, *, at: float | None = None) -> list[Sample]:
        """The samples of an instant query, now or at ``at`` (Unix seconds)."""
        answer = self.get("/api/v1/query", {"query": query, "time": str(time() if at is None else at)})
        return [Sample(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def number(self, query: str) -> float:
        """The value of a query whose answer has no labels; 0 if there is nothing."""
        return sum(sample.value for sample in self.samples(query))

    def series(self, selector: str) -> list[dict[str, str]]:
        """Labels of all series of the last hour that the selector means."""
        now = time()
        parameters = {"match[]": selector, "start": str(now - 3600), "end": str(now + 60)}
        found: list[dict[str, str]] = self.get("/api/v1/series", parameters)["data"]
        return found

    def alerts(self) -> dict[str, str]:
        """State (pending, firing) of each alert that is not inactive, by name; firing wins."""
        found = self.get("/api/v1/alerts", {})["data"]["alerts"]
        return {each["labels"]["alertname"]: each["state"] for each in sorted(found, key=_rank)}

    def exemplars(self, query: str) -> list[dict[str, Any]]:
        """Exemplars of the last hour: labels, value and timestamp."""
        now = time()
        parameters = {"query": query, "start": str(now - 3600), "end": str(now + 60)}
        found = self.get("/api/v1/query_exemplars", parameters)["data"]
        return [exemplar for series in found for exemplar in series["exemplars"]]


@contextmanager
def running_prometheus(
    folder: Path,
    *,
    configuration: Path = CONFIGURATION,
    rules: tuple[Path, ...] = (),
    targets: Mapping[str, str] | None = None,
    evaluation: str = "15s",
) -> Iterator[Prometheus]:
    """A Prometheus that is ready, with its data, log and configuration in ``folder``; stopped at the end.

    ``rules`` are rule files, evaluated each ``evaluation``; ``targets`` says where the hosts of the configuration
    (``otelcol:8888``) are here.
    """
    home = folder / "prometheus"
    _configure(home, _adapted(configuration.read_text(), targets or {}, evaluation), rules)
    (port,) = free_ports(1)
    command = [
        str(require_backend("prometheus")),
        f"--config.file={home / 'prometheus.yaml'}",
        f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-otlp-receiver",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    prometheus = Prometheus(command, os.environ, f"http://127.0.0.1:{port}", "/-/ready", folder / "prometheus.log")
    prometheus.start()
    try:
        yield prometheus
    finally:
        prometheus.stop()


def _configure(home: Path, text: str, rules: tuple[Path, ...]) -> None:
    """The configuration, and the rules beside it as compose mounts them."""
    (home / "rules").mkdir(parents=True)
    (home / "prometheus.yaml").write_text(text)
    for file in rules:
        shutil.copy(file, home / "rules")


def _adapted(text: str, targets: Mapping[str, str], evaluation: str) -> str:
    """The configuration with the addresses and the pace of this run."""
    for name, address in targets.items():
        assert f'"{name}"' in text, f"{name} is no target of the configuration"
        text = text.replace(f'"{name}"', f'"{address}"')
    return text.replace("_interval: 15s", f"_interval: {evaluation}")


def _rank(alert: Mapping[str, Any]) -> int:
    return ("pending", "firing").index(alert["state"])
