"""What ``detail="on_problem"`` saves on the shop of the demo, and what it must not save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from otel_taskflow import OTLPExporter
from otel_taskflow.demo.shop import make_shop
from otel_taskflow.testing.otlp_receiver import OTLPReceiver

PROBLEMS = {"failed", "retrying", "timed_out", "interrupted"}


def attributes(message: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in message.attributes}


def trade(client: TestClient) -> None:
    for number in range(12):
        order = {"order_id": f"A{number}", "customer_id": f"c{number}", "total": 9.5}
        assert client.post("/orders", json=order).status_code == 200
    assert client.post("/reports", params={"lines": 3000}).status_code == 200
    assert client.post("/stock/north").status_code == 200


def size(receiver: OTLPReceiver) -> int:
    return sum(len(request.body) for request in receiver.requests)


def test_the_shop_exports_a_fifth_and_every_failed_attempt_whole(tmp_path: Path) -> None:
    with OTLPReceiver() as everything, OTLPReceiver() as problems:
        exporters = [
            OTLPExporter(everything.url, name="everything"),
            OTLPExporter(problems.url, name="problems", detail="on_problem", slow=30.0),
        ]
        shop = make_shop(seed=7, dir=str(tmp_path), observers=exporters, testing=False)
        with TestClient(shop.app) as client:
            trade(client)
            assert shop.tasks.drain(60)
            assert shop.tasks.force_flush(30)
        assert size(problems) <= size(everything) / 5
        assert {span.span_id for span in problems.spans} == {span.span_id for span in everything.spans}
        troubled = {
            span.span_id
            for span in everything.spans
            if attributes(span).get("otel_taskflow.attempt.outcome") in PROBLEMS
        }
        assert len(troubled) > 3
        assert lines_of(problems, troubled) == lines_of(everything, troubled) != []
        whole = {span.span_id: span.SerializeToString(deterministic=True) for span in everything.spans}
        assert all(
            span.SerializeToString(deterministic=True) == whole[span.span_id]
            for span in problems.spans
            if span.span_id in troubled
        )


def lines_of(receiver: OTLPReceiver, span_ids: set[bytes]) -> list[str]:
    return sorted(attributes(record)["log.record.uid"] for record in receiver.log_records if record.span_id in span_ids)
