"""A program: the shop of the demo takes orders, exports to a collector, and ends in good order.

python -m tests.collector.shop_run FOLDER ENDPOINT sdk|outbox
"""

from __future__ import annotations

import sys
import warnings

from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

from otel_taskflow import OTLPExporter
from otel_taskflow.demo.shop import make_shop
from otel_taskflow.setup.telemetry import setup_telemetry

ORDERS = 12
REPORT_LINES = 300


def main(folder: str, endpoint: str, way: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    setup = setup_telemetry(service_name="shop", endpoint=endpoint)
    exporters = [OTLPExporter(endpoint, signals=("traces", "logs"))] if way == "outbox" else []
    shop = make_shop(seed=7, dir=folder, observers=exporters)
    FastAPIInstrumentor.instrument_app(shop.app)
    with TestClient(shop.app) as client:
        client.post(f"/reports?lines={REPORT_LINES}").raise_for_status()
        client.post("/stock/north").raise_for_status()
        for number in range(ORDERS):
            order = {"order_id": f"A{number}", "customer_id": f"c{number}", "total": 10.5}
            client.post("/orders", json=order).raise_for_status()
        assert shop.tasks.drain(60)
        assert shop.tasks.force_flush(20.0)
    assert setup.shutdown(20.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
