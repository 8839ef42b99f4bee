"""Bytes that the shop of the demo exports with ``detail="always"`` and ``"on_problem"``, from one journal."""

from __future__ import annotations

import warnings
from typing import Any

from otel_taskflow import OTLPExporter
from otel_taskflow.demo.shop import make_shop
from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load
from tests.benchmarks.running import Result

SIDES = ("shop",)
ROUNDS = 1
REPORT = "monthly_report"


def measure(side: str, load: Load) -> Result:
    """Some orders, a stock that fails, and a report of many lines."""
    assert side == "shop"
    with OTLPReceiver() as always, OTLPReceiver() as on_problem:
        exporters = [
            OTLPExporter(always.url, name="always"),
            OTLPExporter(on_problem.url, name="on_problem", detail="on_problem", slow=30.0),
        ]
        _trade(load, exporters)
        return {
            **_sizes("always", always),
            **_sizes("on_problem", on_problem),
            "missing": len({span.span_id for span in always.spans} - {span.span_id for span in on_problem.spans}),
        }


def _trade(load: Load, exporters: list[OTLPExporter]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    shop = make_shop(seed=7, dir=str(load.folder / "state"), observers=exporters)
    with TestClient(shop.app) as client:
        client.post("/reports", params={"lines": load.pick(10_000, 3000)}).raise_for_status()
        client.post("/stock/north").raise_for_status()
        for number in range(load.pick(30, 12)):
            order = {"order_id": f"A{number}", "customer_id": f"c{number}", "total": 9.5}
            client.post("/orders", json=order).raise_for_status()
        assert shop.tasks.drain(60)
        assert shop.tasks.force_flush(30)


def _sizes(name: str, receiver: OTLPReceiver) -> Result:
    records = [*receiver.spans, *receiver.log_records]
    return {
        f"{name}_bytes": sum(len(request.body) for request in receiver.requests) / 1e3,
        f"{name}_sent": sum(int(request.headers["content-length"]) for request in receiver.requests) / 1e3,
        f"{name}_small": sum(record.ByteSize() for record in records if not _is_of_report(record)) / 1e3,
    }


def _is_of_report(record: Any) -> bool:
    return any(pair.value.string_value == REPORT for pair in record.attributes)


def figures(results: dict[str, Result]) -> list[Figure]:
    """On problem by always."""
    shop = results["shop"]
    told = [
        Figure(f"{title}, on_problem", shop[f"on_problem_{what}"], "kB", "always", shop[f"always_{what}"], limit)
        for what, title, limit in (
            ("bytes", "bytes exported by the shop", 0.2),
            ("sent", "the same in gzip", None),
            ("small", "orders and e-mails alone", None),
        )
    ]
    return [*told, Figure("attempts of which nothing is exported, on_problem", shop["missing"], "spans", limit=0)]
