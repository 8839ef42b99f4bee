"""Spans that nobody takes wait on disk, and arrive when somebody listens again. Nothing is lost meanwhile.

Run:  python examples/durable_export.py
"""

import logging

from otel_taskflow import OTLPExporter, TaskManager, task_log
from otel_taskflow.testing.otlp_receiver import OTLPReceiver

with OTLPReceiver() as collector:  # stands in for a collector; closed again, it leaves an address where nobody listens
    pass
task_manager = TaskManager(observers=[OTLPExporter(collector.url, schedule_delay=0.1)])


@task_manager.task
def send_invoice(order_id: str) -> None:
    task_log("Sending", order_id=order_id)


def spans_waiting() -> int:
    """As the health of the destination tells it."""
    [destination] = [part for part in task_manager.health().parts if part.part == "destination:otlp"]
    return destination.figures["traces.backlog"]


def main() -> None:
    logging.disable(logging.WARNING)  # that nobody listens is logged; here it is meant to be so
    task_manager.add_task(send_invoice, "A1")
    task_manager.drain()
    print("delivered while nobody listens:", task_manager.force_flush(timeout=1.0))
    print("spans waiting:", spans_waiting())
    collector.start()
    print("delivered now:", task_manager.force_flush(timeout=30.0))
    print("spans waiting:", spans_waiting())
    print("arrived:", ", ".join(sorted(span.name for span in collector.spans)))
    task_manager.close()
    collector.stop()


if __name__ == "__main__":
    main()
