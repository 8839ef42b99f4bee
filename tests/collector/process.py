"""A real OpenTelemetry Collector as a child process on free loopback ports."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tests.conftest import ROOT, require_program

CONFIG = ROOT / "collector-config"
BINARY = ROOT / ".build" / "otelcol"
PORTS = ("OTELCOL_HTTP_PORT", "OTELCOL_GRPC_PORT", "OTELCOL_HEALTH_PORT", "OTELCOL_METRICS_PORT", "OTELCOL_COUNTS_PORT")
"""Those of ``Collector``, in its order, and that on which one with exact counts talks to itself."""
EXACT_COUNTS = "../exact-counts"
"""The file that goes between base and overlay, as an overlay."""
START_LIMIT = 20.0
STOP_LIMIT = 20.0


@dataclass
class Collector:
    """A running collector: send OTLP to ``http_endpoint`` or ``grpc_endpoint``, read ``output`` and ``log``."""

    command: list[str]
    environment: Mapping[str, str]
    http_port: int
    grpc_port: int
    health_port: int
    metrics_port: int
    output: Path
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def http_endpoint(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def metrics_endpoint(self) -> str:
        return f"127.0.0.1:{self.metrics_port}"

    @property
    def grpc_endpoint(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def restart(self) -> None:
        """Start it, again after a stop or kill, and wait until it is healthy. Its log goes on."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=stream, stderr=subprocess.STDOUT)
        try:
            self.wait_until(self.is_healthy, START_LIMIT)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it and wait: it writes out all that it accepted, so ``output`` is complete afterwards."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def wait_until(self, condition: Callable[[], bool], limit: float = 20.0) -> None:
        """Ask again until the condition holds; the collector's death or the limit is an error with its log."""
        deadline = monotonic() + limit
        while not condition():
            self._expect_alive()
            if monotonic() > deadline:
                raise TimeoutError(f"Not within {limit} s. The collector's log:\n{self.log.read_text()}")
            self._pause()

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _expect_alive(self) -> None:
        if self.process.poll() is not None:
            raise ChildProcessError(f"The collector ended with {self.process.returncode}:\n{self.log.read_text()}")

    def _pause(self) -> None:
        try:
            self.process.wait(0.05)
        except subprocess.TimeoutExpired:
            return


@contextmanager
def running_collector(folder: Path, *overlays: str, settings: Mapping[str, str] | None = None) -> Iterator[Collector]:
    """A healthy collector with these overlays of collector-config (``file`` if none is named), stopped at the end.

    ``settings`` are more environment variables. One that was killed starts again, on its ports and with its queues, by ``restart``.
    """
    collector = _make(folder, overlays or ("file",), settings or {})
    collector.restart()
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
    return Collector(command, environment, http, grpc, health, metrics, output, log)
