"""A real Loki with collector-config/backends/loki.yaml, and questions in LogQL."""

from __future__ import annotations

import os
import re
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, NamedTuple

from tests.collector.process import CONFIG, free_ports
from tests.program import Program, require_backend

LOOK_BACK = 3600.0
"""Seconds that a question looks back if it does not say."""
CATEGORIZED = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
"""Asks for index labels and structured metadata apart."""


class Line(NamedTuple):
    """A log line as Loki gives it: Unix nanoseconds, text, index labels, and what it keeps beside the text."""

    time: int
    text: str
    labels: Mapping[str, str]
    metadata: Mapping[str, str]


@dataclass
class Loki(Program):
    """A running Loki."""

    @property
    def otlp_endpoint(self) -> str:
        """Where it takes OTLP, as LOKI_ENDPOINT says it."""
        return f"{self.url}/otlp"

    def lines(self, query: str, *, since: float = LOOK_BACK, limit: int = 5000) -> list[Line]:
        """Lines of a log query from the last ``since`` seconds, oldest first."""
        parameters = {"query": query, "limit": str(limit), "direction": "forward", **_range(since)}
        found = self.get("/loki/api/v1/query_range", parameters, CATEGORIZED)["data"]["result"]
        lines = [_line(value, stream["stream"]) for stream in found for value in stream["values"]]
        return sorted(lines, key=lambda line: line.time)

    def numbers(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The values of a metric query now, by their labels."""
        result = self.get("/loki/api/v1/query", {"query": query, "time": _nanoseconds(time())})["data"]["result"]
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in result}

    def number(self, query: str) -> float:
        """The value of a metric query without labels; 0 if there is nothing."""
        return sum(self.numbers(query).values())

    def flush(self) -> None:
        """Write a chunk that is in memory to disk, as it does by itself when the chunk is full or old."""
        before = self.written_chunks()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/flush", method="POST"), timeout=30).close()
        self.wait_until(lambda: self.written_chunks() > before)

    def written_chunks(self) -> int:
        """How many chunks it was told to write, and has."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            found = re.search(r'chunks_flushed_total{reason="forced"} (\d+)', answer.read().decode())
        return int(found[1]) if found else 0

    def streams(self, since: float = LOOK_BACK) -> list[dict[str, str]]:
        """Index labels of all streams with lines in the last ``since`` seconds."""
        found = self.get("/loki/api/v1/series", {"match[]": '{service_name=~".+"}', **_range(since)})
        return sorted(found.get("data", ()), key=str)

    def labels(self, since: float = LOOK_BACK) -> set[str]:
        """Names of all index labels."""
        return set(self.get("/loki/api/v1/labels", _range(since)).get("data", ()))


@contextmanager
def running_loki(folder: Path, *, configuration: Path = CONFIG / "backends" / "loki.yaml") -> Iterator[Loki]:
    """A Loki that is ready, with its data and log in ``folder``; stopped at the end."""
    port, grpc_port = free_ports(2)
    environment = {
        **os.environ,
        "LOKI_HTTP_PORT": str(port),
        "LOKI_GRPC_PORT": str(grpc_port),
        "LOKI_DATA": str(folder / "loki"),
    }
    command = [str(require_backend("loki")), f"-config.file={configuration}", "-config.expand-env=true"]
    loki = Loki(command, environment, f"http://127.0.0.1:{port}", "/ready", folder / "loki.log")
    loki.start()
    try:
        yield loki
    finally:
        loki.stop()


def _line(value: list[Any], labels: Mapping[str, str]) -> Line:
    moment, text, *kinds = value
    return Line(int(moment), text, labels, kinds[0].get("structuredMetadata", {}) if kinds else {})


def _range(since: float) -> dict[str, str]:
    now = time()
    return {"start": _nanoseconds(now - since), "end": _nanoseconds(now + 60)}


def _nanoseconds(seconds: float) -> str:
    return str(int(seconds * 1e9))
