"""Runs the shop under uvicorn and places orders in it."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import itertools
import json
import random
import socket
import sys
import threading
import urllib.error
import urllib.request
from typing import Any

from otel_taskflow import ConfigurationError, OTLPExporter, links, setup_telemetry
from otel_taskflow.demo.shop import Shop, make_shop
from otel_taskflow.errors import JournalError
from otel_taskflow.journal.folder import open_folder

SERVICE = "shop"
ORDERS_PER_MINUTE = 40
FIRST_ORDERS = 12
REPORT_LINES = 100_000


def run_demo(*, host: str, port: int, otlp: str | None, folder: str, grafana: str | None = None) -> int:
    """Serve until Ctrl-C. Returns the exit status. Raises ConfigurationError before anything is served."""
    try:
        import uvicorn
    except ImportError:
        print("otel-taskflow demo needs uvicorn: pip install 'otel-taskflow[demo]'", file=sys.stderr)
        return 1
    port = _free_port(host, port)
    to_grafana = None if grafana is None else links.grafana(grafana, service=SERVICE)
    shop = make_shop(links=to_grafana, dir=folder, observers=_exporters(otlp))
    _check(shop)
    telemetry = _export_to(otlp, shop)
    server = uvicorn.Server(uvicorn.Config(shop.app, host=host, port=port, log_level="warning"))
    customers = _Customers(f"http://{_reachable(host)}:{port}")
    threading.Thread(target=_greet_and_order, args=(server, shop, customers), daemon=True).start()
    try:
        asyncio.run(server.serve())
    except KeyboardInterrupt:
        pass
    finally:
        customers.stop()
        if telemetry is not None:
            telemetry.shutdown(5.0)
    return 0


def _check(shop: Shop) -> None:
    """What would fail under the server, with a stack trace, is told in one line."""
    settings = shop.tasks.settings
    if settings.disabled:
        raise ConfigurationError("a disabled manager keeps no tasks to look at; leave out OTEL_TASKFLOW_DISABLED")
    if settings.store == "memory" or settings.on_store_error != "raise":
        return
    try:
        open_folder(settings.folder)
    except JournalError as error:
        raise ConfigurationError(f"--dir {settings.folder}: {error}") from None


def _exporters(otlp: str | None) -> list[OTLPExporter]:
    """What tasks say, over outages of the collector and restarts of the shop."""
    return [] if otlp is None else [OTLPExporter(otlp, signals=("traces", "logs"))]


def _export_to(otlp: str | None, shop: Shop) -> Any:
    """Spans of requests, and metrics."""
    if otlp is None:
        return None

    return setup_telemetry(shop.app, service_name=SERVICE, endpoint=otlp)


def _greet_and_order(server: Any, shop: Shop, customers: _Customers) -> None:
    while not server.started:
        if server.should_exit:
            return
        customers.pause(0.05)
    token = shop.tasks.access_token()
    print(
        f"\n  The shop is open. Its dashboard:\n\n    {customers.base}/tasks/dashboard?token={token}\n\n"
        f"  Tasks are kept in {shop.tasks.kept_in}. Ctrl-C ends it.\n",
        flush=True,
    )
    customers.work()


class _Customers:
    """Orders, e-mails and reports at a calm pace."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._stopped = threading.Event()
        self._dice = random.Random()  # noqa: S311 - a demo's dice

    def stop(self) -> None:
        """No more orders."""
        self._stopped.set()

    def pause(self, seconds: float) -> bool:
        """Wait; True if the shop closes."""
        return self._stopped.wait(seconds)

    def work(self) -> None:
        """Place orders until the shop closes."""
        self._post(f"/reports?lines={REPORT_LINES}")
        self._post("/stock/north")
        for number in itertools.count(1):
            self._post("/orders", self._order(number))
            if number % 15 == 0:
                self._post("/stock/north")
            if self.pause(0.0 if number < FIRST_ORDERS else 60 / ORDERS_PER_MINUTE):
                return

    def _order(self, number: int) -> dict[str, Any]:
        customer = self._dice.randint(1, 40)
        return {
            "order_id": f"A{number}",
            "customer_id": f"customer-{customer}",
            "total": round(self._dice.uniform(5, 300), 2),
        }

    def _post(self, path: str, body: dict[str, Any] | None = None) -> None:
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.base + path,
            data=json.dumps(body or {}).encode(),
            headers={"content-type": "application/json"},
            method="POST",
        )
        try:
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
        except (urllib.error.URLError, OSError):
            self.pause(1.0)


def _reachable(host: str) -> str:
    """The host of a link. Who listens on all addresses of IPv4 or of IPv6 is reached on the loopback one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return f"[{host}]" if address.version == 6 else host


def _free_port(host: str, port: int) -> int:
    last = min(port + 49, 65535)
    for candidate in range(port, last + 1):
        if _is_free(host, candidate):
            return candidate
    raise ConfigurationError(f"no free port between {port} and {last} on {host}; choose one with --port")


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the server does: connections of the last run that the system still remembers do not take the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES):
            return False
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"--host {host}: {why}; use an address of this host") from None
    return True
