"""A real OpenTelemetry Collector as a child process on free loopback ports."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT, require_program
from tests.program import Program

CONFIG = ROOT / "collector-config"
BINARY = ROOT / ".build" / "otelcol"
PORTS = ("OTELCOL_HTTP_PORT", "OTELCOL_GRPC_PORT", "OTELCOL_HEALTH_PORT", "OTELCOL_METRICS_PORT", "OTELCOL_COUNTS_PORT")
"""Those of ``Collector``, in its order, and that on which one with exact counts talks to itself."""
EXACT_COUNTS = "../exact-counts"
"""The file that goes between base and overlay, as an overlay."""


@dataclass
class Collector(Program):
    """A running collector: send OTLP to ``http_endpoint`` or ``grpc_endpoint``, read ``output`` and ``log``.

    A stop makes it write out all that it accepted, so ``output`` is complete afterwards.
    """

    http_port: int
    grpc_port: int
    metrics_port: int
    output: Path

    @property
    def http_endpoint(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def metrics_endpoint(self) -> str:
        return f"127.0.0.1:{self.metrics_port}"

    @property
    def grpc_endpoint(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"


@contextmanager
def running_collector(folder: Path, *overlays: str, settings: Mapping[str, str] | None = None) -> Iterator[Collector]:
    """A healthy collector with these overlays of collector-config (``file`` if none is named), stopped at the end.

    ``settings`` are more environment variables. One that was killed starts again, on its ports and with its queues, by ``start``.
    """
    collector = _make(folder, overlays or ("file",), settings or {})
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


def require_otelcol() -> Path:
    """The collector's binary; a skip where it was not built, an error in CI."""
    return require_program(os.environ.get("OTELCOL", str(BINARY)), remedy="`make collector` builds it")


def config_arguments(overlays: tuple[str, ...]) -> list[str]:
    """The base and these overlays. One that begins with ``yaml:`` is itself what it adds, one with ``--`` another argument."""
    arguments = ["--config", str(CONFIG / "base.yaml")]
    for each in overlays:
        arguments += [each] if each.startswith("--") else ["--config", _location(each)]
    return arguments


def _location(overlay: str) -> str:
    return overlay if overlay.startswith("yaml:") else str(CONFIG / "overlays" / f"{overlay}.yaml")


def variables_of(overlays: tuple[str, ...]) -> set[str]:
    """The names of all environment variables that the base and these files read and have no default for."""
    files = [CONFIG / "base.yaml", *map(Path, map(_location, overlays))]
    return set(re.findall(r"\$\{env:(\w+)\}", "\n".join(file.read_text() for file in files)))


def free_ports(count: int) -> list[int]:
    """Ports that were free together a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _make(folder: Path, overlays: tuple[str, ...], settings: Mapping[str, str]) -> Collector:
    output, log = folder / "otlp.jsonl", folder / "otelcol.log"
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    storage = str(folder / "otelcol-queues")
    environment = {**os.environ, "OTELCOL_FILE": str(output), "OTELCOL_STORAGE": storage, **ports, **settings}
    command = [str(require_otelcol()), *config_arguments(overlays)]
    http, grpc, health, metrics = (int(environment[name]) for name in PORTS[:4])
    return Collector(command, environment, f"http://127.0.0.1:{health}", "", log, http, grpc, metrics, output)
